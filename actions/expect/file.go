package expect

import (
	"bytes"
	"fmt"
	"strings"

	"cowscope/actions/lang"
	"cowscope/actions/verb"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

var expectSize = expectation("size", "a file has so many bytes", []lang.Param{verb.ParamFile,
	{Name: "size", Kind: lang.KindQuantity, Help: "how much: 8k, 2p"}},
	func(c *verb.Call) (finding, error) {
		name, _ := c.Cmd.Word("file")
		size, err := c.F.Files.Size(name)
		if err != nil {
			err = c.FileError("file", err)
			return finding{got: c.Result.String()}, err
		}
		return held(c, size, "stat: "+printable.Name(name))
	})

var expectFile = expectation("file", "a file holds this text, as read(2) sees it", []lang.Param{verb.ParamFile, verb.ParamOffset, verb.ParamText},
	func(c *verb.Call) (finding, error) {
		name, _ := c.Cmd.Word("file")
		offset, err := c.Quantity("offset", 0)
		if err != nil {
			return finding{}, err
		}
		want, _ := c.Cmd.Bytes("text")
		f := finding{want: printable.Bytes(want)}
		got, err := c.F.Files.Read(name, offset, len(want))
		if err != nil {
			err = c.FileError("file", err)
			f.got = c.Result.String()
			return f, err
		}
		size, err := c.F.Files.Size(name)
		f.got, f.holds, f.evidence = printable.Bytes(got), bytes.Equal(got, want), fmt.Sprintf("pread at %d; %s has %s", offset, printable.Name(name), amount.Bytes(size))
		if len(got) < len(want) {
			f.got = strings.TrimSpace(f.got + " and then the file ends")
		}
		return f, err
	})
