package actions

import (
	"bytes"
	"fmt"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// The files of the scratch folder. What is done to them is done from outside, by cowscope's own system calls: it is what another
// program would do, and what another program would see.

var (
	paramFile   = lang.Param{Name: "file", Kind: lang.KindFile, Help: "a name in the scratch folder"}
	paramOffset = lang.Param{Name: "offset", Kind: lang.KindQuantity, Default: "0", Help: "where in the file"}
	paramText   = lang.Param{Name: "text", Kind: lang.KindText, Help: "what to write"}
)

// fileVerb makes an action on a file. done runs without the subject; what it changes can show in every process that maps the file.
func fileVerb(v lang.Verb, run func(c *call, name string) error) Action {
	return Action{Verb: v, Dead: true, run: func(c *call) error {
		name, _ := c.cmd.Word("file")
		c.Touched = c.f.Everywhere()
		c.Result = history.OK
		err := run(c, name)
		c.f.Entries = c.f.Files.Entries()
		if err != nil {
			return c.fileError("file", err)
		}
		return nil
	}}
}

var fileAction = fileVerb(lang.Verb{Name: "file", Summary: "make a file in the scratch folder: so many zeros, or a text",
	Params: []lang.Param{paramFile, {Name: "content", Kind: lang.KindContent, Default: "5000", Help: `its size, or "text"`}}},
	func(c *call, name string) error {
		text, isText := c.cmd.Bytes("content")
		if !isText {
			size, err := c.quantity("content", 0)
			if err != nil {
				return err
			}
			c.Call = fmt.Sprintf("creat(%q) + ftruncate(%d)", name, size)
			return c.f.MakeFile(name, size)
		}
		c.Call = fmt.Sprintf("creat(%q) + write(%s)", name, quoted(text))
		if !c.mayWrite(text) {
			return nil
		}
		if err := c.f.MakeFile(name, 0); err != nil {
			return err
		}
		return c.counted(c.f.Files.Write(name, 0, text))
	})

var fwriteAction = fileVerb(lang.Verb{Name: "fwrite", Summary: "write into a file from outside, as another program would",
	Params: []lang.Param{paramFile, paramOffset, paramText}},
	func(c *call, name string) error {
		offset, err := c.quantity("offset", 0)
		if err != nil {
			return err
		}
		text, _ := c.cmd.Bytes("text")
		c.Call = fmt.Sprintf("pwrite(%q, %s, %d)", name, quoted(text), offset)
		if !c.mayWrite(text) {
			return nil
		}
		return c.counted(c.f.Files.Write(name, offset, text))
	})

var truncateAction = fileVerb(lang.Verb{Name: "truncate", Summary: "set the size of a file from outside",
	Params: []lang.Param{paramFile, {Name: "size", Kind: lang.KindQuantity, Default: "0", Help: "its new size"}}},
	func(c *call, name string) error {
		size, err := c.quantity("size", 0)
		if err != nil {
			return err
		}
		c.Call = fmt.Sprintf("ftruncate(%q, %d)", name, size)
		return c.f.Files.Truncate(name, size)
	})

var catAction = fileVerb(lang.Verb{Name: "cat", Summary: "read a file from outside, as another program would",
	Params: []lang.Param{paramFile, {Name: "offset", Kind: lang.KindQuantity, Optional: true, Default: "0", Help: "where in the file"},
		{Name: "length", Kind: lang.KindQuantity, Optional: true, Help: "how many bytes; all if left out"}}},
	func(c *call, name string) error {
		offset, err := c.quantity("offset", 0)
		if err != nil {
			return err
		}
		n, err := c.quantity("length", readLimit)
		if err != nil {
			return err
		}
		n = min(n, readLimit)
		c.Call = fmt.Sprintf("pread(%q, %d, %d)", name, n, offset)
		b, err := c.f.Files.Read(name, offset, int(n))
		c.Bytes = b
		return c.counted(len(b), err)
	})

var rmAction = fileVerb(lang.Verb{Name: "rm", Summary: "take a file's name away; what is mapped lives on", Params: []lang.Param{paramFile}},
	func(c *call, name string) error {
		c.Call = fmt.Sprintf("unlink(%q)", name)
		err := c.f.Files.Remove(name)
		c.f.ReleaseFiles()
		return err
	})

// counted notes how many bytes a call wrote or read.
func (c *call) counted(n int, err error) error {
	if err == nil {
		c.Value, c.HasValue = uint64(n), true
	}
	return err
}

// quoted writes a text as strace does, with its length: "hello", 5.
func quoted(b []byte) string {
	if len(b) > 32 {
		return fmt.Sprintf("%q..., %d", b[:32], len(b))
	}
	return fmt.Sprintf("%q, %d", b, len(b))
}

var expectFile = expectation("file", "a file holds this text, as read(2) sees it", []lang.Param{paramFile, paramOffset, paramText},
	func(c *call) (finding, error) {
		name, _ := c.cmd.Word("file")
		offset, err := c.quantity("offset", 0)
		if err != nil {
			return finding{}, err
		}
		want, _ := c.cmd.Bytes("text")
		f := finding{want: printable.Bytes(want)}
		got, err := c.f.Files.Read(name, offset, len(want))
		if err != nil {
			err = c.fileError("file", err)
			f.got = c.Result.String()
			return f, err
		}
		size, err := c.f.Files.Size(name)
		f.got, f.holds, f.evidence = printable.Bytes(got), bytes.Equal(got, want), fmt.Sprintf("pread at %d; %s has %s", offset, printable.Name(name), amount.Bytes(size))
		if len(got) < len(want) {
			f.got = strings.TrimSpace(f.got + " and then the file ends")
		}
		return f, err
	})
