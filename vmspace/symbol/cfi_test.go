package symbol

import (
	"encoding/binary"
	"testing"
)

// section makes an .eh_frame of one cie and one fde of that program, for 16 bytes of code at 0x1000.
func section(program ...byte) []byte {
	entry := func(b []byte) []byte {
		for len(b)%8 != 4 {
			b = append(b, 0)
		}
		return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...)
	}
	// version 1, "zR", code 1, data -8, return address 16, 1 byte: absolute addresses of 8 bytes
	common := append([]byte{0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x04}, 0x0c, 7, 8, 0x90, 1) // def_cfa r7 8, offset r16 1
	all := entry(common)
	own := binary.LittleEndian.AppendUint32(nil, uint32(len(all)+4))
	own = binary.LittleEndian.AppendUint64(own, 0x1000)
	own = binary.LittleEndian.AppendUint64(own, 16)
	return append(all, entry(append(append(own, 0), program...))...)
}

func TestCallFrames(t *testing.T) {
	memory := map[uint64]uint64{0x7ff8: 0x2345, 0x7ff0: 0x99, 0x6008: 0x4444}
	read := func(addr uint64) (uint64, bool) { v, ok := memory[addr]; return v, ok }
	for name, c := range map[string]struct {
		program    []byte
		at         uint64
		sp, pc, fp uint64
		failsFor   string
	}{
		"at entry":                       {nil, 0x1000, 0x7ff8, 0x2345, 0x5000, ""},
		"after push rbp":                 {[]byte{0x41, 0x0e, 16, 0x86, 2}, 0x1001, 0x7ff0, 0x2345, 0x99, ""},
		"before push rbp":                {[]byte{0x41, 0x0e, 16, 0x86, 2}, 0x1000, 0x7ff8, 0x2345, 0x5000, ""},
		"remembered and restored":        {[]byte{0x0a, 0x0e, 80, 0x42, 0x0b}, 0x1002, 0x7ff8, 0x2345, 0x5000, ""},
		"between":                        {[]byte{0x0a, 0x0e, 80, 0x42, 0x0b}, 0x1001, 0x7ff8 - 72, 0x2345, 0x5000, ""},
		"frame by an expression":         {[]byte{0x0f, 2, 0x77, 8}, 0x1000, 0x7ff8, 0x2345, 0x5000, ""},
		"register by a value expression": {[]byte{0x16, 6, 2, 0x77, 1}, 0x1000, 0x7ff8, 0x2345, 0x7ff9, ""},
		"restore without a state":        {[]byte{0x0b}, 0x1000, 0x7ff8, 0, 0, "the rules"},
		"unknown instruction":            {[]byte{0x3f}, 0x1000, 0x7ff8, 0, 0, "the rules"},
		"cut":                            {[]byte{0x05}, 0x1000, 0x7ff8, 0, 0, ""},
		"return address not there":       {nil, 0x1000, 0x100, 0, 0, "the caller"},
	} {
		var regs [registers]uint64
		regs[7], regs[6] = c.sp, 0x5000
		table := &cfi{data: section(c.program...), wide: true, eh: true}
		table.read()
		f := table.find(c.at)
		if f == nil || table.find(0x1010) != nil || table.find(0xfff) != nil {
			t.Fatalf("%s: %+v", name, table.fdes)
		}
		w, err := table.rules(f, c.at)
		if (err != nil) != (c.failsFor == "the rules") && name != "cut" {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil || name == "cut" {
			continue
		}
		next, err := w.caller(&regs, f.cie.returns, read)
		if (err != nil) != (c.failsFor == "the caller") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (next[16] != c.pc || next[6] != c.fp || next[stackPointer] != 0x8000) {
			t.Errorf("%s: back to %#x, frame pointer %#x, stack %#x", name, next[16], next[6], next[stackPointer])
		}
	}
}

func FuzzCallFrames(f *testing.F) {
	f.Add(section(), uint64(0x1000))
	f.Add(section(0x41, 0x0e, 16, 0x86, 2, 0x0a, 0x0b, 0x0f, 2, 0x77, 8), uint64(0x1004))
	f.Add(section(0x16, 6, 4, 0x77, 1, 0x06, 0x22), uint64(0x1000))
	f.Fuzz(func(t *testing.T, data []byte, at uint64) {
		for _, eh := range []bool{true, false} {
			c := &cfi{data: data, wide: true, eh: eh}
			c.read()
			if len(c.fdes) > len(data) {
				t.Errorf("%d functions in %d bytes", len(c.fdes), len(data))
			}
			for _, x := range append(c.fdes[:min(len(c.fdes), 8):min(len(c.fdes), 8)], fde{cie: &cie{codeAlign: 1}, program: data}) {
				if w, err := c.rules(&x, at); err == nil {
					var regs [registers]uint64
					w.caller(&regs, x.cie.returns, func(uint64) (uint64, bool) { return at, true })
				}
			}
		}
	})
}
