package actions

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cowscope/actions/family"
	"cowscope/actions/feature/machinetest"
	"cowscope/actions/history"

	"pgregory.net/rapid"
)

// Random lives of memory that is registered with userfaultfd: of random commands on everything too
// few come so far.

// uffdMemory is memory of each kind that userfaultfd is for.
var uffdMemory = []string{
	"a = mmap 4p rw private anon fixed addr=0x20000000", "b = mmap 4p rw private anon fixed addr=0x30000000", "memfd m 3p",
	"c = mmap 4p rw shared file=m fixed addr=0x40000000", "d = mmap 4p rw private file=m fixed addr=0x50000000", "e = mmap 4p rw shared anon fixed addr=0x60000000",
	"fill a 2p 1", "read a+2p", "fill c 3p 1", "fill e 2p 1",
}

// uffdModesOf are what memory of each name is registered for at first.
var uffdModesOf = map[string][]string{"a": {"wp", "missing wp", "missing"}, "b": {"missing", "missing wp"}, "c": {"minor", "minor wp", "missing minor"}, "d": {"missing", "minor", "missing minor wp"},
	"e": {"minor wp", "missing", "minor"}}

// drawUffdLine draws a command on that memory.
func drawUffdLine(t *rapid.T, s *Session) string {
	r := func() string {
		return pick(t, "name", "a", "a", "b", "c", "d", "e") + pick(t, "range", "", "", " 1p", " 2p", "+1p", "+2p 1p", "+1p 2p")
	}
	place := func() string { return strings.Fields(r())[0] }
	var line string
	switch rapid.IntRange(0, 19).Draw(t, "verb") {
	case 0, 1:
		if rapid.IntRange(0, 2).Draw(t, "register") > 0 {
			return "madvise " + pick(t, "shared", "c", "e") + " dontneed"
		}
		line = "uffd_register " + r() + pick(t, "modes", " missing", " missing", " missing wp", " wp", " minor", " minor wp", " missing minor", " missing wp minor")
	case 3:
		line = "uffd_unregister " + r()
	case 4:
		line = "uffd_copy " + r() + pick(t, "source", " 0x43", " 0x43 wp")
	case 5:
		line = "uffd_zeropage " + r()
	case 6:
		line = "uffd_wp " + pick(t, "protected", "a", "a", r())
	case 7:
		line = pick(t, "mark", "uffd_unwp ", "uffd_poison ") + r()
	case 2, 8:
		line = "uffd_continue " + pick(t, "shared", "c", "d", "e") + pick(t, "range", "", " 1p", " 2p", "+1p 1p", "+2p 1p") + pick(t, "modes", "", " wp")
	case 9, 10:
		line = "uffd_move " + pick(t, "from", "a", "b", "a+1p", "b+1p") + pick(t, "size", " 1p", " 1p", " 2p", "") + " " + pick(t, "to", "a", "b", "a+1p", "b+2p", "c") + pick(t, "modes", "", " allow_src_holes")
	case 11, 12, 13:
		line = "write " + place() + " 1"
	case 14:
		line = "read " + place()
	case 15:
		line = "touch " + r() + pick(t, "access", "", " write")
	case 16:
		line = "madvise " + r() + pick(t, "advice", " dontneed", " dontneed", " remove", " populate_read", " populate_write", " guard_install", " guard_remove", " pageout", " free")
	case 17:
		line = pick(t, "mapping", "mprotect "+r()+" r", "mprotect "+r()+" rw", "mprotect "+r()+" rw", "mlock "+r(), "munlock "+r(), "munmap "+r())
	case 18:
		line = "mremap " + pick(t, "moved", "a", "a", "a", "b", "c") + " 4p 4p maymove" + pick(t, "where", " dontunmap", " fixed=0x70000000", "")
	default:
		line = pick(t, "process", "fork", "@p2 exit", "wait", "use p1")
	}
	if st := s.last(); strings.HasPrefix(line, "fork") && len(st.After.Processes) >= maxFamily {
		return "wait"
	}
	return line
}

func TestRandomUserfaultfd(t *testing.T) {
	if err := hasFeature("uffd")(); err != nil {
		t.Skip(err)
	}
	machinetest.Hold(t)
	ran, well := 0, map[string]int{}
	defer func() {
		t.Log("went well:", well)
		t.Log(ran, "commands")
	}()
	rapid.Check(t, func(t *rapid.T) {
		s, err := Open(Options{Limits: family.Limits{Memory: 256 << 20}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		draw := func(t *rapid.T, s *Session) string {
			if st := s.last(); st.OK() && strings.HasPrefix(st.Command, "uffd_") {
				well[strings.Fields(st.Command)[0]]++
			}
			return drawUffdLine(t, s)
		}
		setup := uffdMemory
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			setup = append(slices.Clip(setup), "uffd_register "+name+" "+pick(t, "modes", uffdModesOf[name]...))
		}
		ran += randomLines(t, s, rapid.IntRange(20, 50).Draw(t, "commands"), false, draw, setup...)
		if wrong := uffdUnsaid(s.History()); wrong != "" {
			t.Fatal(wrong)
		}
	})
}

// uffdUnsaid is the first request to userfaultfd that was refused for a reason that is not said.
func uffdUnsaid(steps []*history.Step) string {
	for _, st := range steps {
		if !st.OK() && st.Result != history.Refused && strings.HasPrefix(st.Command, "uffd_") && (st.Reason == "" || strings.HasSuffix(st.Reason, " otherwise")) && !hidden[st.Reason] {
			return fmt.Sprintf("step %d, %s: %s\n%s", st.N, st.Command, st.Why, mapsAround(st))
		}
	}
	return ""
}
