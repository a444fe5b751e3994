package verb

import (
	"fmt"

	"cowscope/actions/explain"
	"cowscope/actions/history"
	"cowscope/actions/lang"
)

// The files of a session. They are changed by system calls of cowscope itself, from outside the
// subject, as another program would do it and see it.

var (
	ParamFile   = lang.Param{Name: "file", Kind: lang.KindFile, Help: "a name in the scratch folder"}
	ParamOffset = lang.Param{Name: "offset", Kind: lang.KindQuantity, Default: "0", Help: "where in the file"}
	ParamText   = lang.Param{Name: "text", Kind: lang.KindText, Help: "what to write"}
)

// fileVerb makes an action on a file. done runs without the subject; what it changes can show in
// every process that maps the file.
func fileVerb(v lang.Verb, run func(c *Call, name string) error, flags ...Constant) Action {
	return Action{Verb: v, Dead: true, Flags: flags, Run: func(c *Call) error {
		name, _ := c.Cmd.Word("file")
		c.Touched = c.F.Everywhere()
		c.Result = history.OK
		err := run(c, name)
		c.F.Entries = c.F.Files.Entries()
		if err != nil {
			return c.FileError("file", err)
		}
		return nil
	}}
}

var fileAction = fileVerb(lang.Verb{Name: "file", Summary: "make a file in the scratch folder: of zeros, or with a text",
	Params: []lang.Param{ParamFile, {Name: "content", Kind: lang.KindContent, Default: "5000", Help: `its size, or "text"`}}},
	func(c *Call, name string) error {
		text, isText := c.Cmd.Bytes("content")
		if !isText {
			size, err := c.Quantity("content", 0)
			if err != nil {
				return err
			}
			c.Call = fmt.Sprintf("creat(%q) + ftruncate(%d)", name, size)
			return c.F.MakeFile(name, size)
		}
		c.Call = fmt.Sprintf("creat(%q) + write(%s)", name, quoted(text))
		if !c.mayWrite(text) {
			return nil
		}
		if err := c.F.MakeFile(name, 0); err != nil {
			return err
		}
		return c.counted(c.F.Files.Write(name, 0, text))
	})

var fwriteAction = fileVerb(lang.Verb{Name: "fwrite", Summary: "write into a file from outside, as another program would",
	Params: []lang.Param{ParamFile, ParamOffset, ParamText}},
	func(c *Call, name string) error {
		offset, err := c.Quantity("offset", 0)
		if err != nil {
			return err
		}
		text, _ := c.Cmd.Bytes("text")
		c.Call = fmt.Sprintf("pwrite(%q, %s, %d)", name, quoted(text), offset)
		if !c.mayWrite(text) {
			return nil
		}
		return c.counted(c.F.Files.Write(name, offset, text))
	})

var truncateAction = fileVerb(lang.Verb{Name: "truncate", Summary: "set the size of a file from outside",
	Params: []lang.Param{ParamFile, {Name: "size", Kind: lang.KindQuantity, Default: "0", Help: "its new size"}}},
	func(c *Call, name string) error {
		size, err := c.Quantity("size", 0)
		if err != nil {
			return err
		}
		c.Call = fmt.Sprintf("ftruncate(%q, %d)", name, size)
		return c.F.Files.Truncate(name, size)
	})

var catAction = fileVerb(lang.Verb{Name: "cat", Summary: "read a file from outside, as another program would",
	Params: []lang.Param{ParamFile, {Name: "offset", Kind: lang.KindQuantity, Optional: true, Default: "0", Help: "where in the file"},
		{Name: "length", Kind: lang.KindQuantity, Optional: true, Help: "how many bytes; all if left out"}}},
	func(c *Call, name string) error {
		offset, err := c.Quantity("offset", 0)
		if err != nil {
			return err
		}
		n, err := c.Quantity("length", readLimit)
		if err != nil {
			return err
		}
		n = min(n, readLimit)
		// The log shows the length that was parsed.
		c.Args.Args = append([]explain.Argument{{Param: "length", Number: n}}, c.Args.Args...)
		c.Call = fmt.Sprintf("pread(%q, %d, %d)", name, n, offset)
		b, err := c.F.Files.Read(name, offset, int(n))
		c.Bytes = b
		return c.counted(len(b), err)
	})

var rmAction = fileVerb(lang.Verb{Name: "rm", Summary: "remove a file's name; what is mapped lives on", Params: []lang.Param{ParamFile}},
	func(c *Call, name string) error {
		c.Call = fmt.Sprintf("unlink(%q)", name)
		err := c.F.Files.Remove(name)
		c.F.ReleaseFiles()
		return err
	})

// paramTo is a new name for a file.
var paramTo = lang.Param{Name: "to", Kind: lang.KindFile, Show: "NEW", Help: "a name in the scratch folder"}

// paramOld is the file that gets another name.
var paramOld = lang.Param{Name: "file", Kind: lang.KindFile, Show: "OLD", Help: "a file of the scratch folder, but no memfd"}

var linkAction = fileVerb(lang.Verb{Name: "link", Summary: "give a file another name: a hard link", Params: []lang.Param{paramOld, paramTo}},
	func(c *Call, name string) error {
		to, _ := c.Cmd.Word("to")
		c.Call = fmt.Sprintf("link(%q, %q)", name, to)
		if err := c.F.Files.Vacant(to); err != nil {
			return c.FileError("to", err)
		}
		return c.F.LinkFile(name, to)
	})

var renameAction = fileVerb(lang.Verb{Name: "rename", Summary: "change a file's name; a file that has the new one loses it", Params: []lang.Param{paramOld, paramTo}},
	func(c *Call, name string) error {
		to, _ := c.Cmd.Word("to")
		c.Call = fmt.Sprintf("rename(%q, %q)", name, to)
		err := c.F.Files.Rename(name, to)
		c.F.ReleaseFiles()
		return err
	})

// counted notes how many bytes a call wrote or read.
func (c *Call) counted(n int, err error) error {
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
