package lang

import (
	"strings"
	"testing"
)

// canonicalCases: a line and its canonical form; an empty want: the line is canonical already.
var canonicalCases = []struct{ line, want string }{
	{"mmap 4p rw private anon", ""},
	{"mmap 0 rw private anon", ""},
	{"mmap 4p none", ""},
	{"mmap 4p rw anon private", "mmap 4p rw private anon"},
	{"mmap 4p r-- addr=a+1p shared file=x.bin offset=1p fixed", "mmap 4p r shared fixed file=x.bin offset=1p addr=a+1p"},
	{"mmap 1p rw private fd=99", ""},
	{"mmap 1p rw private fd=-1", ""},
	{`mmap 1p rw private file="my file"`, ""},
	{`mmap 1p rw private file="plain"`, "mmap 1p rw private file=plain"},
	{"mmap 2m rw private anon 32bit hugetlb_2m", "mmap 2m rw private anon hugetlb_2m 32bit"},
	{"  @p2\tbuf =   mmap 2p+20   xwr private anon # why not", "@p2 buf = mmap 2p+20 rwx private anon"},
	{"buf=mmap 4p rw", "buf = mmap 4p rw"},
	{"buf =mmap 4p rw", "buf = mmap 4p rw"},
	{"buf= mmap 4p rw", "buf = mmap 4p rw"},
	{"mmap = mmap 4p rw", ""}, // a name may equal a verb
	{"@p1 fork", ""},
	{"fork#now", "fork"},
	{"fork\r\n", "fork"},
	{"munmap a", ""},
	{"munmap a+1p 2p", ""},
	{"munmap 0x7f0000 1p", ""},
	{"munmap a-1p+20 64k", ""},
	{"mprotect a r-x", "mprotect a rx"},
	{"mprotect a ---", "mprotect a none"},
	{"mprotect a -", "mprotect a none"},
	{"mprotect a+1p 2p none", ""},
	{"mprotect rw rw", ""}, // a name may equal a protection
	{"mremap a 4p", ""},
	{"mremap a 1p 4p", ""},
	{"mremap a 4p fixed=0x10000 dontunmap maymove", "mremap a 4p maymove dontunmap fixed=0x10000"},
	{"madvise a dontneed", ""},
	{"madvise a 1p guard_install", ""},
	{"msync a", ""},
	{"msync a 1p async invalidate", ""},
	{"msync a invalidate sync", "msync a sync invalidate"},
	{"mlockall", ""},
	{"mlockall onfault current", "mlockall current onfault"},
	{"brk +4p", ""},
	{"brk -2p+20", ""},
	{"brk heap+1p", ""},
	{"brk 0x10000", ""},
	{"read a", ""},
	{"read a+8 16", ""},
	{"write a 0x02", ""},
	{"write a 65", ""},
	{`write a "hi # there\n\x00\xff"`, ""},
	{`write a "\u00e9\101"`, `write a "éA"`},
	{`write a ""`, ""},
	{"touch a read", ""},
	{"touch a 2p write", ""},
	{"touch read read", ""},
	{"fill a 0xcc", ""},
	{"fill a 1p 204", ""},
	{"exit", ""},
	{"exit 3", ""},
	{"kill", ""},
	{"kill 9", "kill SIGKILL"},
	{"kill term", "kill SIGTERM"},
	{"kill 64", ""},
	{"use p2", ""},
	{"file x 4p", ""},
	{`file "x" "text"`, `file x "text"`},
	{"file /dev/zero 0", ""},
	{"rm a=b", `rm "a=b"`},
	{`fwrite x 1p+3 "text"`, ""},
	{"cat x", ""},
	{"cat 4p 4p", ""}, // a file called 4p
	{"cat x 0 4p", ""},
	{"expect result ok", ""},
	{"expect  result  SIGSEGV/ACCERR", "expect result SIGSEGV/ACCERR"},
	{"expect result SIGBUS", ""},
	{"expect result EINVAL|ENOMEM", ""},
	{"expect result ok|SIGSEGV/ACCERR|timeout", ""},
	{"expect result timeout", ""},
	{"expect page a none", ""},
	{"expect page a+1p 2p cow locked huge", "expect page a+1p 2p cow huge locked"},
	{"expect perms a rw-p", ""},
	{"expect perms a ---s", ""},
	{"expect mapped a", ""},
	{"expect unmapped 0x7f0000 4p", ""},
	{"expect vmas a 3", ""},
	{"expect vmas a 4p 3", ""},
	{`expect bytes a "hi"`, ""},
	{"expect bytes a 0x41", ""},
	{"expect same-frame p1:a p2:a+1p", ""},
	{"expect other-frame a b", ""},
	{"expect faults major=0 minor=1", "expect faults minor=1 major=0"},
	{`expect file x 0 "hi"`, ""},
	{"expect exited p2 0", ""},
	{"expect signaled p2 KILL", "expect signaled p2 SIGKILL"},
	{"needs frames thp", ""},
	{"snapshot", ""},
	{"madvise a 17", ""},
	{"madvise a 1p 0x65", ""},
	{"mmap 1p 3 private anon", "mmap 1p rw private anon"},
	{"mmap 1p 0x1000003 private anon flags=0x100000", ""},
	{"mprotect a 0x8", ""},
	{"mprotect a 1p 8", "mprotect a 1p 0x8"},
	{"mprotect a 0", "mprotect a none"},
	{"msync a 8", ""}, // 8 bytes
	{"msync a flags=8 invalidate", "msync a invalidate flags=8"},
	{"mremap a 2p 0x10", ""}, // to 16 bytes
	{"expect rss 8k", ""},
	{"expect rss a 8k", ""},
	{"expect rss a+1p 2p 8k", ""},
	{"expect rss 0x10000 8k", ""},
	{"expect rss < 200m", ""},
	{"expect rss a+1p 2p >= 8k", ""},
	{"expect vmas-of a 2p > 3", ""},
	{"expect shared p1 p2 > 80%", ""},
	{"expect shared p1 p2 0%", ""},
	{"expect mincore 1101", ""},
	{"expect move_pages 0,ENOENT", ""},
	{"move_pages a 2p node=1 all", ""},
	{"expect value 0x7ffff7fb6000", ""},
	{"expect value 18446744073709551615", ""},
	{" repeat  3  @p2  buf=mmap 4p rw # so", "repeat 3 @p2 buf = mmap 4p rw"},
	{"repeat 1 fork", "fork"},
	{"repeat 0x10 fork", "repeat 16 fork"},
	{"repeat 100000 expect page a none", ""},
	{"repeat = mmap 4p rw", ""}, // a name may equal what repeats
	{"repeat=mmap 4p rw", "repeat = mmap 4p rw"},
	{"repeat =mmap 4p rw", "repeat = mmap 4p rw"},
	{"repeat 2 repeat = mmap 4p rw", ""},
	{"munmap repeat", ""},
}

// TestCanonical: what a line means, as the canonical line spells it, and that this line reads back.
func TestCanonical(t *testing.T) {
	g := sampleGrammar(t)
	for _, c := range canonicalCases {
		if c.want == "" {
			c.want = c.line
		}
		cmd, err := g.Parse(c.line)
		if err != nil {
			t.Errorf("%s\n%v", c.line, err)
			continue
		}
		if got := cmd.String(); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.line, got, c.want)
		}
		again, err := g.Parse(cmd.String())
		if err != nil || !same(cmd, again) {
			t.Errorf("%s\nreads again as %v, %v", cmd, again, err)
		}
	}
}

func TestNothing(t *testing.T) {
	g := sampleGrammar(t)
	for _, line := range []string{"", " \t ", "# mmap", "  # \x1b[2J \xff", "\r\n", "\n"} {
		if c, err := g.Parse(line); c != nil || err != nil {
			t.Errorf("%q: %v, %v", line, c, err)
		}
	}
}

// mustParse gives a parser for lines that are right.
func mustParse(t *testing.T) func(string) *Command {
	g := sampleGrammar(t)
	return func(line string) *Command {
		t.Helper()
		c, err := g.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func TestGetters(t *testing.T) {
	c := mustParse(t)("@p2 buf = mmap 2p+1k rw private anon fd=-1 addr=b-1p+20 offset=0x1000")
	q, _ := c.Quantity("size")
	if n, err := q.Eval(4096); n != 2*4096+1024 || err != nil {
		t.Error(n, err)
	}
	if p, _ := c.Prot("prot"); p != ProtRead|ProtWrite {
		t.Error(p)
	}
	if f := strings.Join(c.Flags("flag"), " "); f != "private anon" || !c.Has("anon") || c.Has("shared") {
		t.Error(f)
	}
	if n, ok := c.Number("fd"); n != -1 || !ok {
		t.Error(n, ok)
	}
	p, _ := c.Place("addr")
	if a, err := p.Resolve(0x10000, 4096); p.Name != "b" || a != 0x10000-4096+20 || err != nil {
		t.Error(p, a, err)
	}
	if c.Process != "p2" || c.Bind != "buf" || c.Given("file") || !c.Given("offset") {
		t.Error(c)
	}
	if _, ok := c.Number("size"); ok {
		t.Error("a size is no number")
	}
	for part, got := range map[string]Span{"@p2": c.ProcessSpan, "buf": c.BindSpan, "mmap": c.VerbSpan, "2p+1k": c.Span("size"),
		"private": c.Span("flag"), "addr=b-1p+20": c.Span("addr")} {
		if c.Line[got.Col-1:got.Col-1+got.Len] != part {
			t.Errorf("%s is at %v", part, got)
		}
	}
	if err := c.ErrorIn("addr", "no range is called b", "there are a and stack"); err.Error() != "col 44: no range is called b; there are a and stack" {
		t.Error(err)
	}
}

func TestGettersOfKinds(t *testing.T) {
	parse := mustParse(t)
	r, _ := parse("munmap a+1p 2p").Range("range")
	if !r.HasSize || r.Size.Pages != 2 || r.Place.Offset.Plus.Pages != 1 {
		t.Error(r)
	}
	if b, ok := parse("write a 65").Bytes("value"); string(b) != "A" || !ok {
		t.Error(b)
	}
	if b, ok := parse(`write a "\x00\xff"`).Bytes("value"); string(b) != "\x00\xff" || !ok {
		t.Error(b)
	}
	if s, _ := parse("kill term").Signal("signal"); s != 15 {
		t.Error(s)
	}
	f := parse(`file x "1p"`)
	if _, size := f.Quantity("content"); size {
		t.Error("text taken for a size")
	}
	s, _ := parse("brk -2p+20").Shift("to")
	if n, err := s.Offset.Apply(0x10000, 4096); !s.Relative || n != 0x10000-2*4096+20 || err != nil {
		t.Error(n, err)
	}
	o, _ := parse("expect same-frame p1:a p2:b+1p").Place("other")
	if o.Process != "p2" || o.Name != "b" {
		t.Error(o)
	}
}

func TestOverflow(t *testing.T) {
	q := Quantity{Pages: 1 << 50}
	if _, err := q.Eval(4096); err != nil {
		t.Error(err)
	}
	if _, err := q.Eval(65536); err == nil {
		t.Error("2^66 bytes fit")
	}
	for _, c := range []struct {
		o    Offset
		base uint64
		ok   bool
	}{
		{Offset{Plus: Quantity{Bytes: 1}}, 1<<64 - 1, false},
		{Offset{Minus: Quantity{Bytes: 1}}, 0, false},
		{Offset{Plus: Quantity{Pages: 1}, Minus: Quantity{Bytes: 4096}}, 1<<64 - 1, true},
		{Offset{Plus: Quantity{Bytes: 1}, Minus: Quantity{Bytes: 2}}, 1, true},
		{Offset{Plus: Quantity{Pages: 1 << 60}}, 0, false},
		{Offset{Minus: Quantity{Pages: 1 << 60}}, 0, false},
	} {
		if _, err := c.o.Apply(c.base, 4096); (err == nil) != c.ok {
			t.Errorf("%v on %#x: %v", c.o, c.base, err)
		}
	}
}

// TestMadeByCode: values without a spelling print one that reads back.
func TestMadeByCode(t *testing.T) {
	for want, v := range map[string]interface{ String() string }{
		"0": Quantity{}, "4p": Quantity{Pages: 4}, "4p+20": Quantity{4, 20, ""}, "20": Quantity{Bytes: 20},
		"p2:a+1p-20":  Place{Process: "p2", Name: "a", Offset: Offset{Quantity{Pages: 1}, Quantity{Bytes: 20}}},
		"0x7f0000-1p": Place{Addr: 0x7f0000, Offset: Offset{Minus: Quantity{Pages: 1}}},
		"a 2p":        Range{Place{Name: "a"}, Quantity{Pages: 2}, true},
		"+0":          Shift{Relative: true},
		"-1p":         Shift{Relative: true, Offset: Offset{Minus: Quantity{Pages: 1}}},
		"heap":        Shift{Place: Place{Name: "heap"}},
		"SIGKILL":     Signal(9), "40": Signal(40), "rx": ProtRead | ProtExec,
	} {
		if v.String() != want {
			t.Errorf("%#v prints %s, want %s", v, v, want)
		}
	}
}

// same says whether two commands mean the same.
func same(a, b *Command) bool {
	if a == nil || b == nil || a.Times != b.Times || a.Process != b.Process || a.Bind != b.Bind || a.Verb != b.Verb || len(a.Args) != len(b.Args) {
		return false
	}
	for i, x := range a.Args {
		y := b.Args[i]
		if x.Param != y.Param || x.Text != y.Text {
			return false
		}
		xb, isBytes := x.value.([]byte)
		yb, _ := y.value.([]byte)
		if string(xb) != string(yb) || !isBytes && x.value != y.value {
			return false
		}
	}
	return true
}
