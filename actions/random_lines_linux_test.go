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
		"mremap", "madvise", "madvise", "madvise", "process_madvise", "remap_file_pages", "mbind", "move_pages", "mlock", "munlock", "mincore", "msync", "brk", "fork", "fork", "vfork", "vfork", "thread", "thread", "thread_exit", "exit", "kill", "wait", "use", "file", "fwrite", "truncate", "rm", "mlockall", "munlockall", "mseal", "snapshot",
		"pkey_mprotect", "pkey_mprotect", "pkey_set", "pkey_set", "pkey_alloc", "pkey_free", "memfd", "memfd", "seal", "link", "rename", "fallocate", "fallocate", "setrlimit", "setrlimit", "prctl", "prctl",
		"uffd_register", "uffd_register", "uffd_register", "uffd_unregister", "uffd_copy", "uffd_copy", "uffd_zeropage", "uffd_wp", "uffd_wp", "uffd_unwp", "uffd_continue", "uffd_continue", "uffd_move", "uffd_move", "uffd_poison")
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
		return "mprotect " + d.span() + " " + pick(d.T, "prot", d.prot(), d.prot(), d.prot(), "0x3", "0x9", "0x1000003", "0x1000001", "0x10")
	case "mremap":
		return d.mremap()
	case "madvise":
		var words []string
		for _, a := range verb.Advices {
			words = append(words, a.Word)
		}
		return "madvise " + d.span() + " " + pick(d.T, "advice", append(words, "4", "8", "21", "102", "0x65", "0x7fffffff")...)
	case "process_madvise":
		of := drawer{d.T, d.st, drawProcess(d.T, d.st)}
		return "process_madvise " + of.label + " " + of.span() + " " + pick(d.T, "advice", "cold", "pageout", "willneed", "collapse", "dontneed", "populate_write", "21", "0x65")
	case "remap_file_pages":
		return "remap_file_pages " + d.span() + " " + pick(d.T, "pgoff", "0", "0", "1", "2", "3", "100", "-1")
	case "mbind":
		return "mbind " + d.span() + " " + pick(d.T, "policy", "default", "bind 0", "bind 0", "preferred 0", "interleave 0 move", "local", "bind 3", "bind")
	case "move_pages":
		return "move_pages " + d.span() + pick(d.T, "node", "", "", " node=0", " node=0", " node=1", " node=0 all", " node=0 flags=1")
	case "mlock":
		return "mlock " + d.span() + pick(d.T, "onfault", "", " onfault", " flags=1", " flags=2")
	case "munmap", "munlock", "mincore", "mseal":
		return name + " " + d.span()
	case "msync":
		return "msync " + d.span() + pick(d.T, "how", "", " sync", " async", " invalidate", " flags=4", " flags=8")
	case "brk":
		return "brk " + pick(d.T, "to", "+1p", "+3p", "-1p", "-2p", "+100")
	case "fork", "vfork", "thread":
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
	case "memfd":
		return "memfd " + pick(d.T, "memfd", "m", "m", "m", "y") + " " + pick(d.T, "size", "4p", "1p+900", "0", "2m") + pick(d.T, "sealing", " sealing", " sealing", "", " sealing hugetlb")
	case "seal":
		return "seal " + pick(d.T, "file", "m", "m", "m", "x") + " " + pick(d.T, "seals", "write", "future_write", "grow", "shrink", "grow shrink", "seal", "exec", "write grow")
	case "link", "rename":
		return name + " " + d.file() + " " + pick(d.T, "to", "z", "z", "y")
	case "fallocate":
		return "fallocate " + d.file() + " " + pick(d.T, "offset", "0", "1p", "100", "3p") + " " + pick(d.T, "size", "1p", "2p+100", "50", "0") + pick(d.T, "mode", "", " punch", " punch", " punch", " zero", " keep")
	case "uffd_register":
		return "uffd_register " + d.pages() + pick(d.T, "modes", " missing", " wp", " missing wp", " missing wp", "", " minor", " minor", " missing minor", " minor wp")
	case "uffd_unregister", "uffd_zeropage", "uffd_poison", "uffd_wp", "uffd_unwp":
		return name + " " + d.pages()
	case "uffd_continue":
		return "uffd_continue " + d.pages() + pick(d.T, "modes", "", "", " wp")
	case "uffd_move":
		return "uffd_move " + d.pages() + " " + strings.Fields(d.pages())[0] + pick(d.T, "modes", "", "", " allow_src_holes")
	case "uffd_copy":
		return "uffd_copy " + d.pages() + pick(d.T, "source", ` "copied"`, " 0x43", " 0x43 wp")
	case "pkey_alloc":
		return "pkey_alloc" + d.keyRights()
	case "pkey_free":
		return "pkey_free " + d.key()
	case "pkey_mprotect":
		return "pkey_mprotect " + d.span() + " " + d.prot() + " " + d.key()
	case "pkey_set":
		return "pkey_set " + strings.TrimPrefix(d.key(), "-") + d.keyRights()
	case "setrlimit":
		return d.setrlimit()
	case "prctl":
		return d.prctl()
	case "mlockall":
		return "mlockall " + pick(d.T, "what", "current", "current onfault", "future onfault", "future")
	}
	return name
}

func (d drawer) mmap() string {
	size := pick(d.T, "size", "1p", "2p", "3p", "4p", "8p", "20p", "1p+900", "2m", "4m", "1g noreserve", "0")
	size, extra, _ := strings.Cut(size, " ")
	flags := pick(d.T, "kind", "private anon", "private anon", "private anon", "private anon growsdown", "droppable anon", "shared anon", "private file=x", "shared file=x", "private file=y", "shared file=y rdonly", "shared file=m", "shared file=m", "private file=m", "shared file=z", "private file=/dev/zero", "shared file=/dev/zero", "anon", "private shared anon")
	offset := ""
	if strings.Contains(flags, "file=") {
		offset = pick(d.T, "offset", "", "", " offset=1p", " offset=2p", " offset=100")
	}
	more := pick(d.T, "flag", "", "", "", "", "populate", "locked", "noreserve", "growsdown", "stack", "nonblock", "32bit", "sync", "hugetlb", "flags=0x8000", "flags=0x2000", "flags=0x110000", "flags=0x8")
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
	line += pick(d.T, "flags", "", "", "", "", " flags=1", " flags=5", " flags=8")
	return line
}

// setrlimit is mostly of a soft limit, which can be raised again, and now and then of both.
func (d drawer) setrlimit() string {
	resource, limits := pick(d.T, "resource", "as", "data", "stack", "memlock"), []string{"unlimited", "unlimited", "0", "5000", "4p", "50p", "1m", "5m"}
	return "setrlimit " + resource + " " + pick(d.T, "soft", limits...) + pick(d.T, "hard", "", "", "", "", " unlimited", " 6m")
}

func (d drawer) prctl() string {
	switch pick(d.T, "option", "ksm", "thp", "mdwe") {
	case "ksm":
		return "prctl ksm " + pick(d.T, "switch", "on", "off")
	case "thp":
		return "prctl thp " + pick(d.T, "switch", "on", "off")
	}
	return "prctl mdwe" + pick(d.T, "inherit", "", " no_inherit")
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

func (d drawer) file() string { return pick(d.T, "file", "x", "x", "y", "m", "m", "z") }

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
	off := pick(d.T, "at", "", "", "", "+1p", "+1p", "+2p", "+3p", "+100", "+4090", "-1", "-1p", "-3p", "+300p")
	if name == "stack" && (off == "" || strings.HasPrefix(off, "-")) {
		off = "+30p"
	}
	return name + off
}

func (d drawer) span() string {
	return strings.TrimSpace(d.place() + " " + pick(d.T, "span", "", "1p", "1p", "2p", "3p", "100", "1p+900"))
}

// pages is mostly a range of whole pages, for calls that round nothing up.
func (d drawer) pages() string {
	names := slices.Sorted(maps.Keys(maps.Collect(d.st.Names.All(d.label))))
	names = slices.DeleteFunc(names, func(n string) bool { return n == "text" })
	if len(names) == 0 || pick(d.T, "pages", "whole", "whole", "whole", "any") == "any" {
		return d.span()
	}
	return pick(d.T, "name", names...) + pick(d.T, "at", "", "", "+1p") + pick(d.T, "span", "", "", " 1p", " 2p")
}
