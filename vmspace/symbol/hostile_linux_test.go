package symbol

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"cowscope/vmspace"
)

// A malformed file gives names or none, within its limits, and no panic.
func TestHostile(t *testing.T) {
	var good [2][]byte
	for i, level := range []string{"-O2", "-O0"} {
		var err error
		if good[i], err = os.ReadFile(compile(t, "prog.cc", cSource, "-g", level)); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	named := 0
	deadline := time.Now().Add(time.Second)
	for i := 0; time.Now().Before(deadline); i++ {
		b := slices.Clone(good[i/2%2])
		if i%2 == 0 {
			b = b[:rng.IntN(len(b))]
		}
		for range rng.IntN(20) {
			if len(b) > 0 {
				b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			}
		}
		named += lookAround(b)
	}
	if named == 0 {
		t.Error("nothing was found in any of the files: the test tests nothing")
	}
}

// lookAround looks up addresses, names and lines in a file, and counts what it finds.
func lookAround(b []byte) (named int) {
	o := &object{most: 8 << 20}
	o.load(bytes.NewReader(b), "/tmp/x", Options{Patience: time.Second, DebugRoot: "/nonexistent"})
	for off := uint64(0x1000); off < 0x1400; off += 32 {
		if at, ok := o.address(off, true); ok {
			guard(func() error {
				if o.dwarf != nil {
					named += len(o.dwarf.variables(&activation{at: at, cfa: 1 << 40, regs: &[registers]uint64{}, sound: true}, time.Now().Add(time.Second)))
				}
				return nil
			})
			for _, f := range firstOf(o.frames(at, time.Now().Add(time.Second))) {
				if f.line > 0 {
					named++
				}
			}
		}
	}
	guard(func() error { named += len(o.find("main")) + len(o.find("nothing")); return nil })
	guard(func() error {
		addrs, _ := o.dwarf.find("prog.cc", 3, time.Now().Add(time.Second))
		named += len(addrs)
		return nil
	})
	return named
}

func firstOf(f []frame, _ uint64) []frame { return f }

func FuzzObject(f *testing.F) {
	if cc, err := exec.LookPath("cc"); err == nil {
		dir := f.TempDir()
		os.WriteFile(filepath.Join(dir, "a.c"), []byte("static inline int f(int x) { return x * 3; }\nint main(int c, char **v) { return f(c); }\n"), 0o644)
		cmd := exec.Command(cc, "-g", "-O1", "-nostdlib", "-Wl,-emain,-z,noseparate-code", "-o", "a", "a.c")
		cmd.Dir = dir
		if cmd.Run() == nil {
			b, _ := os.ReadFile(filepath.Join(dir, "a"))
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) { lookAround(b) })
}

// made is an ELF file that is written by hand.
type made struct {
	names []string
	parts [][]byte
	heads []elf.Section64
}

// add appends a section.
func (m *made) add(name string, kind elf.SectionType, flags elf.SectionFlag, content []byte) *elf.Section64 {
	m.names, m.parts = append(m.names, name), append(m.parts, content)
	m.heads = append(m.heads, elf.Section64{Type: uint32(kind), Flags: uint64(flags), Size: uint64(len(content))})
	return &m.heads[len(m.heads)-1]
}

// file writes it, with one segment of code at 0x1000, and .text there.
func (m *made) file() []byte {
	var out, names, heads bytes.Buffer
	out.Write(make([]byte, 64+56))
	names.WriteByte(0)
	binary.Write(&heads, binary.LittleEndian, elf.Section64{})
	m.add(".shstrtab", elf.SHT_STRTAB, 0, nil)
	for i, h := range m.heads {
		h.Name, h.Off = uint32(names.Len()), uint64(out.Len())
		names.WriteString(m.names[i] + "\x00")
		if i == len(m.heads)-1 {
			m.parts[i], h.Size = names.Bytes(), uint64(names.Len())
		}
		out.Write(m.parts[i])
		binary.Write(&heads, binary.LittleEndian, h)
	}
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_AARCH64), Version: 1, Phoff: 64, Shoff: uint64(out.Len()),
		Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64, Shnum: uint16(len(m.heads) + 1), Shstrndx: uint16(len(m.heads))}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	var head bytes.Buffer
	binary.Write(&head, binary.LittleEndian, h)
	binary.Write(&head, binary.LittleEndian, elf.Prog64{Type: 1, Flags: 5, Off: 0, Vaddr: 0, Filesz: 1 << 20, Memsz: 1 << 20, Align: 4096})
	out.Write(heads.Bytes())
	b := out.Bytes()
	copy(b, head.Bytes())
	return b
}

// text is a file with a section of code at 0x1000.
func text() *made {
	m := &made{}
	h := m.add(".text", elf.SHT_PROGBITS, elf.SHF_ALLOC|elf.SHF_EXECINSTR, nil)
	h.Addr, h.Size = 0x1000, 0x1000
	return m
}

// symbols adds a symbol table: name, address, size, type.
func (m *made) symbols(names string, all ...elf.Sym64) *made {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, elf.Sym64{})
	binary.Write(&b, binary.LittleEndian, all)
	m.add(".symtab", elf.SHT_SYMTAB, 0, b.Bytes()).Link = uint32(len(m.heads) + 1)
	m.add(".strtab", elf.SHT_STRTAB, 0, []byte(names))
	return m
}

// Mapping symbols are no functions, labels lie in functions, a size ends a function, and of the
// names of an address the best is taken.
func TestSymbols(t *testing.T) {
	const names = "\x00$x\x00main\x00__libc_main\x00label\x00sizeless@@V1\x00_b1\x00ab1\x00"
	at := func(name string) uint32 { return uint32(strings.Index(names, name+"\x00")) }
	fn, label := uint8(elf.STT_FUNC), uint8(elf.STT_NOTYPE)
	o := &object{most: 1 << 20}
	o.load(bytes.NewReader(text().symbols(names,
		elf.Sym64{Name: at("$x"), Info: label, Shndx: 1, Value: 0x1010},
		elf.Sym64{Name: at("__libc_main"), Info: fn, Shndx: 1, Value: 0x1010, Size: 0x20},
		elf.Sym64{Name: at("main"), Info: fn, Shndx: 1, Value: 0x1010, Size: 0x20},
		elf.Sym64{Name: at("label"), Info: label, Shndx: 1, Value: 0x1018},
		elf.Sym64{Name: at("$x"), Info: label, Shndx: 1, Value: 0x101c},
		elf.Sym64{Name: at("sizeless@@V1"), Info: fn, Shndx: 1, Value: 0x1040},
		elf.Sym64{Name: at("_b1"), Info: uint8(elf.STT_GNU_IFUNC), Shndx: 1, Value: 0x1080, Size: 8},
		elf.Sym64{Name: at("ab1"), Info: uint8(elf.STT_GNU_IFUNC), Shndx: 1, Value: 0x1080, Size: 8},
		elf.Sym64{Name: at("main"), Info: uint8(elf.STT_OBJECT), Shndx: 1, Value: 0x1090, Size: 8},
	).file()), "", Options{Patience: time.Second})
	for addr, want := range map[uint64]string{0x100f: "", 0x1010: "main+0x0", 0x101c: "main+0xc", 0x102f: "main+0x1f", 0x1030: "", 0x1040: "sizeless+0x0",
		0x107f: "sizeless+0x3f", 0x1080: "ab1+0x0", 0x1087: "ab1+0x7", 0x1088: "", 0x1094: ""} {
		got := ""
		if frames, start := o.frames(addr, time.Now().Add(time.Second)); len(frames) > 0 {
			got = vmspace.Place{Function: frames[0].function, Offset: addr - start}.String()
		}
		if got != want {
			t.Errorf("%#x: %q, want %q", addr, got, want)
		}
	}
}

// Files that claim what would take all memory, or all time, are given up early.
func TestClaims(t *testing.T) {
	uleb := func(v uint64) []byte { return binary.AppendUvarint(nil, v) }
	le := binary.LittleEndian
	// One unit of DWARF 5 with the abbreviations and entries given; its lines are at offset 0.
	debug := func(m *made, abbrev, entries, line []byte) *made {
		info := le.AppendUint16(nil, 5)
		info = append(info, 1, 8, 0, 0, 0, 0)
		info = append(info, entries...)
		m.add(".debug_abbrev", elf.SHT_PROGBITS, 0, abbrev)
		m.add(".debug_info", elf.SHT_PROGBITS, 0, append(le.AppendUint32(nil, uint32(len(info))), info...))
		m.add(".debug_line", elf.SHT_PROGBITS, 0, append(le.AppendUint32(nil, uint32(len(line))), line...))
		return m
	}
	// low_pc addr, high_pc data8, stmt_list sec_offset; then a lexical block with children.
	abbrev := []byte{1, 0x11, 1, 0x11, 1, 0x12, 7, 0x10, 0x17, 0, 0, 2, 0x0b, 1, 0, 0, 0}
	unit := slices.Concat([]byte{1}, le.AppendUint64(nil, 0x1000), le.AppendUint64(nil, 0x1000), make([]byte, 4))
	lines := func(tables []byte, program ...byte) []byte {
		head := append([]byte{1, 1, 1, 0xfb, 14, 10, 0, 1, 1, 1, 1, 0, 0, 0, 1}, tables...)
		return slices.Concat([]byte{5, 0, 8, 0}, le.AppendUint32(nil, uint32(len(head))), head, program)
	}
	dirs := []byte{1, 1, 8, 1, '/', 'd', 0} // one directory "/d"
	files := []byte{2, 1, 8, 2, 11, 2, 'a', '.', 'c', 0, 0, 'b', '.', 'c', 0, 0}
	program := append(append([]byte{0, 9, 2}, le.AppendUint64(nil, 0x1000)...), 3, 6, 1, 2, 0x80, 0x10, 0, 1, 1)
	var bomb bytes.Buffer
	bomb.Write(le.AppendUint64(le.AppendUint64(le.AppendUint64(nil, 1), 1<<40), 1))
	z := zlib.NewWriter(&bomb)
	z.Write(make([]byte, 64<<20))
	z.Close()
	many := bytes.Repeat([]byte{1}, 2<<20)

	for _, c := range []struct {
		name string
		file []byte
		line int
	}{
		{"nothing wrong", debug(text(), abbrev, append(unit, 0), lines(slices.Concat(dirs, files), program...)).file(), 7},
		{"entries a million deep", debug(text(), abbrev, append(slices.Clone(unit), bytes.Repeat([]byte{2}, 2<<20)...), lines(slices.Concat(dirs, files), program...)).file(), 7},
		{"2^62 directories of nothing", debug(text(), abbrev, append(unit, 0), lines(append([]byte{0}, uleb(1<<62)...), program...)).file(), 0},
		{"2^40 files of nothing", debug(text(), abbrev, append(unit, 0), lines(append(slices.Concat(dirs, []byte{0}), uleb(1<<40)...), program...)).file(), 0},
		{"a million lines at one address", debug(text(), abbrev, append(unit, 0), lines(slices.Concat(dirs, files), append(program[:11:11], many...)...)).file(), 0},
		{"a million attributes", debug(text(), append([]byte{1, 0x11, 1}, bytes.Repeat([]byte{0x3c, 0x19}, 1<<20)...), append(unit, 0), lines(nil)).file(), 0},
		{"a section that unpacks to 2^40 bytes", func() []byte {
			m := debug(text(), abbrev, append(unit, 0), lines(slices.Concat(dirs, files), program...))
			m.add(".debug_str", elf.SHT_PROGBITS, elf.SHF_COMPRESSED, bomb.Bytes())
			return m.file()
		}(), 0},
		{"a string of a megabyte", func() []byte {
			m := debug(text(), abbrev, append(unit, 0), lines(slices.Concat(dirs, files), program...))
			m.add(".debug_str", elf.SHT_PROGBITS, 0, many)
			return m.file()
		}(), 0},
		{"names without an end", text().symbols(string(many), slices.Repeat([]elf.Sym64{{Name: 7, Info: 2, Shndx: 1, Value: 0x1000, Size: 4}}, 40_000)...).file(), 0},
		{"names of sections without an end", func() []byte {
			m := &made{}
			for range 1500 {
				m.add(strings.Repeat("x", 100), elf.SHT_PROGBITS, 0, nil)
			}
			return m.file()
		}(), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			o := &object{most: 8 << 20}
			o.load(bytes.NewReader(c.file), "", Options{Patience: time.Second})
			frames, _ := o.frames(0x1010, time.Now().Add(time.Second))
			runtime.ReadMemStats(&after)
			took, bytes := time.Since(start), after.TotalAlloc-before.TotalAlloc
			if bytes > 128<<20 || took > 10*time.Second {
				t.Errorf("%d MiB were allocated, in %v", bytes>>20, took)
			}
			line := 0
			if len(frames) > 0 {
				line = frames[0].line
			}
			if line != c.line {
				t.Errorf("line %d, want %d: %v", line, c.line, frames)
			}
			if line > 0 && frames[0].file != "/d/b.c" {
				t.Errorf("%v", frames)
			}
		})
	}
}

// A file of a terabyte is a few blocks on the disk. Of what it claims no more is read than allowed.
func TestSparse(t *testing.T) {
	m := text()
	m.symbols("\x00main\x00")
	b := m.file()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Write(b)
	if err := f.Truncate(1 << 40); err != nil {
		t.Skip("needs a file system with large files: ", err)
	}
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], 1<<39)
	shoff := int64(binary.LittleEndian.Uint64(b[40:]))
	for i := range int64(4) {
		f.WriteAt(size[:], shoff+64*(i+1)+32) // sh_size of each section
		reads := &counted{ReaderAt: f}
		o := &object{most: 8 << 20}
		o.load(reads, "", Options{Patience: time.Second})
		if reads.bytes > 20<<20 {
			t.Errorf("%d bytes were read", reads.bytes)
		}
	}
}

type counted struct {
	io.ReaderAt
	bytes int
}

func (c *counted) ReadAt(b []byte, off int64) (int, error) {
	c.bytes += len(b)
	return c.ReaderAt.ReadAt(b, off)
}

// A place fits into a line, whatever the file calls its functions.
func TestString(t *testing.T) {
	for want, p := range map[string]vmspace.Place{
		"main.c:20 main":    {Function: "main", File: "/src/main.c", Line: 20, Object: "/bin/x", At: 5, Offset: 1},
		"main.c:20":         {File: "/src/main.c", Line: 20},
		"memcpy+0x1c":       {Function: "memcpy", Offset: 0x1c, Object: "/lib/libc.so.6"},
		"libc.so.6+0x9f3a0": {Object: "/lib/libc.so.6", At: 0x9f3a0},
		"0x7f00":            {At: 0x7f00},
		`a\x1b[2J+0x0`:      {Function: "a\x1b[2J"},
		`x\n:1 b\u202e`:     {File: "/a/x\n", Line: 1, Function: "b\u202e"},
		`l\r (deleted)+0x1`: {Object: "/tmp/l\r (deleted)", At: 1},
	} {
		if got := p.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
