package symbol

import (
	"debug/dwarf"
	"slices"
)

// findUnits reads the headers of the units (DWARF 5, section 7.5.1), and walks the abbreviations of
// each: tables that overlap would be read again and again.
func (d *dwarfTable) findUnits(info, abbrev []byte) error {
	tables := map[uint64]bool{}
	for c := cursor(info); len(c) > 0; {
		base := len(info) - len(c)
		body, wide := c.unit()
		end, size := len(info)-len(c), len(body)
		version := body.u16()
		if version < 2 || version > 5 || len(d.units) == mostUnits {
			return errDWARF
		}
		var kind uint8
		if version == 5 {
			kind = body.u8()
			body.u8()
		}
		tables[body.offset(wide)] = true
		if version < 5 {
			body.u8()
		}
		if kind == 4 || kind == 5 { // DW_UT_skeleton, DW_UT_split_compile
			body.u64()
		}
		if kind != 2 && kind != 6 { // DW_UT_type, DW_UT_split_type
			header := end - size - base
			d.units = append(d.units, unit{root: dwarf.Offset(base + header + size - len(body)), end: dwarf.Offset(end), version: version, wide: wide})
		}
	}
	var offsets []uint64
	for off := range tables {
		offsets = append(offsets, off)
	}
	slices.Sort(offsets)
	for i, off := range offsets {
		c := cursor(abbrev[off:])
		for c.uleb() != 0 {
			c.uleb()
			c.u8()
			for n := 0; ; n++ {
				attr, form := c.uleb(), c.uleb()
				if attr == 0 && form == 0 {
					break
				}
				if form == 0x21 { // DW_FORM_implicit_const
					c.sleb()
				}
				if n > mostFields {
					return errDWARF
				}
			}
		}
		if i+1 < len(offsets) && uint64(len(abbrev)-len(c)) > offsets[i+1] {
			return errDWARF
		}
	}
	return nil
}
