package actions

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/verb"
	"cowscope/vmspace"

	"pgregory.net/rapid"
)

// The random lines. They use what is there: names, processes and files of the session, and now and
// then what is not.

func pick(t *rapid.T, label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(t, label)
}

// drawLine draws a command; the likelier ones stand more often.
func drawLine(t *rapid.T, s *Session) string {
	st := s.last()
	label := drawProcess(t, st)
	d := drawer{t, st, label}
	line := d.command()
	if label != st.Current {
		line = "@" + label + " " + line
	}
	return line
}

func drawProcess(t *rapid.T, st *history.Step) string {
	var labels []string
	for _, p := range st.After.Processes {
		labels = append(labels, p.Label)
	}
	if len(labels) == 0 {
		return st.Current
	}
	return rapid.SampledFrom(labels).Draw(t, "process")
}

type drawer struct {
	*rapid.T
	st    *history.Step
	label string
}

func (d drawer) command() string {
	name := pick(d.T, "verb", "mmap", "mmap", "mmap", "write", "write", "write", "read", "read", "touch", "touch", "fill", "exec", "munmap", "mprotect", "mprotect",
		"mremap", "madvise", "madvise", "madvise", "mlock", "munlock", "mincore", "msync", "brk", "fork", "fork", "exit", "kill", "wait", "use", "file", "fwrite", "truncate", "rm", "mlockall", "munlockall", "mseal", "snapshot",
		"pkey_mprotect", "pkey_mprotect", "pkey_set", "pkey_set", "pkey_alloc", "pkey_free")
	switch name {
	case "mmap":
		return d.mmap()
	case "write":
		return fmt.Sprintf("write %s %s", d.place(), pick(d.T, "value", "1", "0xff", `"hello"`, `"across the edge"`))
	case "read":
		return "read " + d.place() + pick(d.T, "length", "", " 8", " 1p+900")
	case "touch":
		return "touch " + d.span() + pick(d.T, "access", "", " read", " write", " write")
	case "fill":
		return "fill " + d.span() + " 0x5a"
	case "exec":
		return "exec " + d.place()
	case "mprotect":
		return "mprotect " + d.span() + " " + d.prot()
	case "mremap":
		return d.mremap()
	case "madvise":
		var words []string
		for _, a := range verb.Advices {
			words = append(words, a.Word)
		}
		return "madvise " + d.span() + " " + pick(d.T, "advice", words...)
	case "mlock":
		return "mlock " + d.span() + pick(d.T, "onfault", "", " onfault")
	case "munmap", "munlock", "mincore", "mseal":
		return name + " " + d.span()
	case "msync":
		return "msync " + d.span() + pick(d.T, "how", "", " sync", " async", " invalidate")
	case "brk":
		return "brk " + pick(d.T, "to", "+1p", "+3p", "-1p", "-2p", "+100")
	case "fork":
		if len(d.st.After.Processes) >= maxFamily {
			return "wait"
		}
	case "exit", "kill":
		if rapid.IntRange(0, 3).Draw(d.T, "die") > 0 {
			return "snapshot"
		}
	case "use":
		return "use " + d.label
	case "file":
		return "file " + d.file() + " " + pick(d.T, "content", "1p+900", "4p", "0", `"some text in a file"`, "2m")
	case "fwrite":
		return "fwrite " + d.file() + " " + pick(d.T, "offset", "0", "1p", "4999", "3p+17") + ` "from outside"`
	case "truncate":
		return "truncate " + d.file() + " " + pick(d.T, "size", "0", "100", "1p+900", "2p", "8p")
	case "rm":
		return "rm " + d.file()
	case "pkey_alloc":
		return "pkey_alloc" + d.keyRights()
	case "pkey_free":
		return "pkey_free " + d.key()
	case "pkey_mprotect":
		return "pkey_mprotect " + d.span() + " " + d.prot() + " " + d.key()
	case "pkey_set":
		return "pkey_set " + strings.TrimPrefix(d.key(), "-") + d.keyRights()
	case "mlockall":
		return "mlockall " + pick(d.T, "what", "current", "current onfault", "future onfault", "future")
	}
	return name
}

func (d drawer) mmap() string {
	size := pick(d.T, "size", "1p", "2p", "3p", "4p", "8p", "20p", "1p+900", "2m", "4m", "1g noreserve", "0")
	size, extra, _ := strings.Cut(size, " ")
	flags := pick(d.T, "kind", "private anon", "private anon", "private anon", "shared anon", "private file=x", "shared file=x", "private file=y", "shared file=y rdonly", "private file=/dev/zero", "shared file=/dev/zero", "anon", "private shared anon")
	offset := ""
	if strings.Contains(flags, "file=") {
		offset = pick(d.T, "offset", "", "", " offset=1p", " offset=2p", " offset=100")
	}
	more := pick(d.T, "flag", "", "", "", "", "populate", "locked", "noreserve", "growsdown", "stack", "nonblock", "32bit", "sync", "hugetlb")
	at := ""
	if n := rapid.IntRange(0, 9).Draw(d.T, "fixed"); n == 0 {
		at = " fixed addr=" + d.place()
	} else if n == 1 {
		at = " addr=" + d.place()
	} else if n == 2 {
		at = " fixed_noreplace addr=" + d.place()
	}
	return strings.Join(strings.Fields(fmt.Sprintf("mmap %s %s %s %s %s%s%s", size, d.prot(), flags, extra, more, offset, at)), " ")
}

func (d drawer) mremap() string {
	line := "mremap " + d.span() + " " + pick(d.T, "size", "1p", "2p", "6p", "9p", "0")
	switch rapid.IntRange(0, 4).Draw(d.T, "how") {
	case 1, 2:
		line += " maymove"
	case 3:
		line += " maymove fixed=" + d.place()
	case 4:
		line += " maymove dontunmap"
	}
	return line
}

func (d drawer) prot() string {
	return pick(d.T, "prot", "rw", "rw", "rw", "r", "rwx", "rx", "w", "x", "none")
}

// key is mostly one that is there, now and then everybody's, the kernel's own, or none.
func (d drawer) key() string {
	return pick(d.T, "key", "1", "1", "1", "2", "2", "3", "0", "15", "-1")
}

func (d drawer) keyRights() string {
	return pick(d.T, "rights", "", "", " access", " write", " write", " access write")
}

func (d drawer) file() string { return pick(d.T, "file", "x", "x", "y") }

// place is somewhere in what is named: mostly at a page, sometimes before the start or behind the
// end.
func (d drawer) place() string {
	names := slices.Sorted(maps.Keys(maps.Collect(d.st.Names.All(d.label))))
	names = slices.DeleteFunc(names, func(n string) bool { return n == "text" }) // without it nothing can be done any more
	names = append(names, "stack")
	if p := d.st.After.Process(d.label); p != nil && slices.ContainsFunc(p.Mappings.Slice(0, p.Mappings.Len()), func(m vmspace.Mapping) bool { return m.Path == "[heap]" }) {
		names = append(names, "heap")
	}
	name := rapid.SampledFrom(names).Draw(d.T, "name")
	off := pick(d.T, "at", "", "", "", "+1p", "+1p", "+2p", "+3p", "+100", "+4090", "-1", "-1p", "+300p")
	if name == "stack" && (off == "" || off == "-1" || off == "-1p") {
		off = "+30p"
	}
	return name + off
}

func (d drawer) span() string {
	return strings.TrimSpace(d.place() + " " + pick(d.T, "span", "", "1p", "1p", "2p", "3p", "100", "1p+900"))
}
