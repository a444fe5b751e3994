package verb

import (
	"fmt"

	"cowscope/actions/lang"
)

var sysRemapFilePages = number(216, 234)

var remapFilePagesAction = Action{
	Verb: lang.Verb{Name: "remap_file_pages", Summary: "let a shared mapping show other pages of what it maps", Params: []lang.Param{ParamRange,
		{Name: "pgoff", Kind: lang.KindNumber, Show: "PGOFF", Default: "1", Help: "which page of the file the range begins with, from 0"}}},
	Calls: []uintptr{sysRemapFilePages},
	Run:   runRemapFilePages,
}

func runRemapFilePages(c *Call) error {
	r, err := c.RangeOf("range")
	if err != nil {
		return err
	}
	pgoff, _ := c.Cmd.Number("pgoff")
	c.Call = fmt.Sprintf("remap_file_pages(0x%x, %d, 0, %d, 0)", r.Start, r.Len(), pgoff)
	if !c.mayMap() {
		return nil
	}
	c.focus(r)
	c.MapsShared = r.Len() // it brings the pages in
	_, _, err = c.syscall(sysRemapFilePages, r.Start, r.Len(), 0, uint64(pgoff), 0)
	return err
}
