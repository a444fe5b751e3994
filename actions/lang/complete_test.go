package lang

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var sampleEnv = Env{
	Names:     []string{"a", "buf", "stack"},
	Processes: []string{"p1", "p2"},
	Files:     []string{"x.bin", "my file"},
}

// completeCases: the | is the cursor. A want that ends in … lists only the first candidates; "" is
// none.
var completeCases = []struct{ line, want string }{
	{"|", "mmap munmap mprotect …"},
	{"mu|", "munmap munlock munlockall"},
	{"m|xx", "mmap munmap …"},
	{"@|", "@p1 @p2"},
	{"@p2 fo|", "fork"},
	{"a = |", "mmap"},
	{"a=m|", "mmap"},
	{"a =|", "mmap"},
	{"expe|", "expect"},
	{"expect pa|", "page"},
	{"expect page |", "a buf stack"},
	{"expect page a |", "none zero …"},
	{"expect page a 2p s|", "shared swapped special"},
	{"expect page a none huge |", "ksm locked lazyfree uffd-wp soft-dirty dirty referenced"},
	{"mmap |", "4p"},
	{"mmap 4p |", "rw r rx rwx w x wx none"},
	{"mmap 4p r|", "rw r rx rwx"},
	{"mmap 4p rw private hu|", "hugetlb hugetlb_2m hugetlb_1g"},
	{"mmap 4p rw private pr|", ""},
	{"mmap 4p rw 3|", "32bit"},
	{"mmap 4p rw f| anon", "fixed fixed_noreplace file= fd= flags="},
	{"mmap 4p rw file=|", "x.bin \"my file\""},
	{"mmap 4p rw file=m|", "\"my file\""},
	{"mmap 4p rw addr=b|", "buf"},
	{"mmap 4p rw file=x f|", "fixed fixed_noreplace fd= flags="},
	{"mprotect a |", "rw r rx rwx w x wx none"},
	{"mprotect a 1p n|", "none"},
	{"mremap a |", ""},
	{"mremap a 4p |", "maymove dontunmap fixed= flags="},
	{"touch a 1p |", "read write"},
	{"msync a sync |", "invalidate flags="},
	{"use |", "p1 p2"},
	{"kill t|", "SIGTRAP SIGTERM SIGTSTP SIGTTIN SIGTTOU"},
	{"kill SIGK|", "SIGKILL"},
	{"expect result SIGBUS/A|", "SIGBUS/ADRALN SIGBUS/ADRERR SIGBUS/ASYNCIO"},
	{"expect result EINV|", "EINVAL"},
	{"expect same-frame |", "p1: p2: a buf stack"},
	{"expect same-frame p1:a p2:b|", "p2:buf"},
	{"brk |", "a buf stack +1p -1p"},
	{"cat x |", "0"},
	{"fork |", ""},
	{"write a \"b|", ""},
	{"# m|", ""},
	{"fork # m|", ""},
	{"frob |", ""},
	{"expect frob |", ""},
	{"munmap a b |", ""},
	{"m\xff|", ""},
	{"rep|", "repeat"},
	{"repeat |", ""},
	{"repeat 3 mu|", "munmap munlock munlockall"},
	{"repeat 3 @|", "@p1 @p2"},
	{"repeat 3 @p2 fo|", "fork"},
	{"repeat 3 a=m|", "mmap"},
	{"repeat 3 rep|", ""},
	{"repeat x mu|", ""},
	{"@p2 rep|", ""},
	{"a=rep|", ""},
	{"madvise a gu|", "guard_install guard_remove"},
	{"expect rss |", "a buf stack < <= > >="},
	{"expect rss <|", "< <="},
	{"expect shared p1 p2 |", "< <= > >="},
}

// TestComplete: what may stand at the cursor.
func TestComplete(t *testing.T) {
	g := sampleGrammar(t)
	for _, c := range completeCases {
		line, after, _ := strings.Cut(c.line, "|")
		var got []string
		for _, x := range g.Complete(line+after, utf8.RuneCountInString(line), sampleEnv) {
			got = append(got, x.Text)
		}
		want, more := strings.CutSuffix(c.want, " …")
		have := strings.Join(got, " ")
		if have != want && !(more && strings.HasPrefix(have, want+" ")) {
			t.Errorf("%s\n got %s\nwant %s", c.line, have, c.want)
		}
	}
}

// TestReplaced: a candidate replaces the whole word, counted in characters.
func TestReplaced(t *testing.T) {
	g := sampleGrammar(t)
	for _, c := range []struct{ line, want string }{
		{"mprotect bxx|xx rw", ""},
		{"mprotect b|xx rw", "mprotect buf rw"},
		{"mmap 4p rw file=\"é\" addr=bu|f+1p", "mmap 4p rw file=\"é\" addr=buf"},
		{"@p1| fork", "@p1 fork"},
		{"a=mm|", "a=mmap"},
	} {
		before, after, _ := strings.Cut(c.line, "|")
		line := []rune(before + after)
		cs := g.Complete(string(line), utf8.RuneCountInString(before), sampleEnv)
		got := ""
		if len(cs) > 0 {
			got = string(line[:cs[0].Start]) + cs[0].Text + string(line[cs[0].End:])
		}
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.line, got, c.want)
		}
	}
}

// TestCompletionLeadsHome: following what is offered, word by word, leads to a command for every
// verb that needs no value of one's own.
func TestCompletionLeadsHome(t *testing.T) {
	g := sampleGrammar(t)
	for _, v := range g.Verbs() {
		if slices.ContainsFunc(v.Params, func(p Param) bool {
			return p.Default == "" && slices.Contains([]Kind{KindQuantity, KindValue, KindText, KindContent, KindByte, KindNumber,
				KindPerms, KindBits, KindVector, KindStatuses, KindPercent}, max(p.Kind*btoi(p.Kind != KindOption), p.Of)) || p.Name == "feature"
		}) {
			continue
		}
		line := v.Name + " "
		for range v.Params {
			if _, err := g.Parse(line); err == nil {
				break
			}
			cs := g.Complete(line, utf8.RuneCountInString(line), sampleEnv)
			if len(cs) == 0 {
				break
			}
			line += strings.TrimSuffix(cs[len(cs)-1].Text, ":") + " "
		}
		if _, err := g.Parse(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func btoi(b bool) Kind {
	if b {
		return 1
	}
	return 0
}

func TestHint(t *testing.T) {
	g := sampleGrammar(t)
	for _, c := range []struct{ line, want string }{
		{"", ""},
		{"# x", ""},
		{"mu", "munmap, munlock or munlockall"},
		{"@", "PROCESS: p1 for the first"},
		{"@p2 ", "a verb is missing"},
		{"mmpa ", "no verb mmpa: did you mean mmap?"},
		{"munmap", "munmap RANGE"},
		{"mprotect ", "RANGE: a place"},
		{"mprotect a ", "[Q]: how much of the range, if not all · PROT: letters of rwx, or none"},
		{"mprotect a 1", "[Q]: how much"},
		{"mprotect a 1p ", "PROT: letters of rwx, or none"},
		{"mprotect a r", "PROT: letters of rwx, or none"},
		{"mprotect a rz", "rz is not a protection"},
		{"mprotect a rw ", ""},
		{"mprotect a rw x", "one argument too many"},
		{"mmap ", "Q: how much to map ("},
		{"mmap 4p rw hu", "hugetlb, hugetlb_2m or hugetlb_1g"},
		{"mmap 4p rw private ", "shared, shared_validate, anon, fixed, fixed_noreplace, populate, locked, noreserve… · file=NAME"},
		{"mmap 4p rw file=", "file=NAME: the file to map"},
		{"mmap 4p rw addr=a", "addr=PLACE: a name"},
		{"mmap xx rw ", "xx is not a quantity"},
		{"touch a re", "read: about read"},
		{"expect ", "expect needs a second word: result, page"},
		{"cat x ", "Q: 100 bytes"},
		{"needs ", "FEATURE: one word or more"},
		{"fork ", ""},
		{"rep", "repeat: run it N times"},
		{"repeat ", "repeat needs N: how often, 1 to 100000"},
		{"repeat 3 mu", "munmap, munlock or munlockall"},
		{"repeat 3 mprotect a ", "[Q]: how much of the range, if not all · PROT"},
		{"madvise a ", "[Q]: how much of the range, if not all · ADVICE: dontneed, free"},
		{"madvise a 0x6", "[Q]: how much"},
		{"mmap 4p rw flags=", "flags=N: a number"},
		{"expect mincore ", "VECTOR: a 1 or a 0"},
		{"expect move_pages ", "STATUSES: a node or an errno"},
		{"write a \"x", "this string has no end"},
	} {
		if got := g.Hint(c.line); got != c.want && !(c.want != "" && strings.HasPrefix(got, c.want)) {
			t.Errorf("%q\n got %s\nwant %s", c.line, got, c.want)
		}
	}
}

func TestCompose(t *testing.T) {
	g := sampleGrammar(t)
	for _, c := range []struct {
		verb, bind string
		fields     map[string]string
		want       string
	}{
		{"mmap", "buf", map[string]string{"size": "4p", "prot": "rw", "flag": "private anon"}, "buf = mmap 4p rw private anon"},
		{"mmap", "", map[string]string{"size": " 4p ", "prot": "r", "flag": "shared", "file": "my file", "offset": "offset=1p"},
			`mmap 4p r shared file="my file" offset=1p`},
		{"mmap", "", map[string]string{"size": "4p", "prot": "r", "file": "file=x"}, "mmap 4p r file=x"},
		{"munmap", "", map[string]string{"range": "a+1p 2p"}, "munmap a+1p 2p"},
		{"write", "", map[string]string{"place": "a", "value": "say \"hi\""}, `write a "say \"hi\""`},
		{"write", "", map[string]string{"place": "a", "value": `"hi"`}, `write a "hi"`},
		{"write", "", map[string]string{"place": "a", "value": "0x41"}, "write a 0x41"},
		{"fwrite", "", map[string]string{"file": "x", "offset": "0", "text": " 12 "}, `fwrite x 0 " 12 "`},
		{"cat", "", map[string]string{"file": "x", "size": "1p"}, "cat x 0 1p"},
		{"fork", "", nil, "fork"},
	} {
		got := Compose(g.Verb(c.verb), c.fields, c.bind)
		if got != c.want {
			t.Errorf("%s %v\n got %s\nwant %s", c.verb, c.fields, got, c.want)
		}
		if _, err := g.Parse(got); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}

func TestCheckField(t *testing.T) {
	g := sampleGrammar(t)
	for _, c := range []struct{ verb, param, text, want string }{
		{"mmap", "size", "4p", ""},
		{"mmap", "size", "", "col 1: Q is missing"},
		{"mmap", "size", "4p+zz", "col 4: zz is not a quantity"},
		{"mmap", "size", "4p 5p", "col 4: one word too many"},
		{"mmap", "size", "4p # x", "# starts a comment"},
		{"mmap", "flag", "", ""},
		{"mmap", "flag", "private anon", ""},
		{"mmap", "flag", "private annon", "col 9: no flag annon; did you mean anon?"},
		{"mmap", "flag", "anon anon", "col 6: anon is given twice"},
		{"mmap", "file", "my file", ""},
		{"mmap", "file", `"my file`, "no end"},
		{"mmap", "file", "a\"b", "middle of a word"},
		{"mmap", "file", "a\x00b", "zero byte"},
		{"mmap", "offset", "", ""},
		{"mmap", "offset", "offset=zz", "col 8: zz"},
		{"mmap", "addr", "p2", "a process"},
		{"munmap", "range", "a 2p", ""},
		{"munmap", "range", "a 2p 2p", "col 6: one word too many"},
		{"munmap", "range", "a rw", "col 3: rw is not a quantity"},
		{"write", "value", "hello world", ""},
		{"write", "value", "300", "more than a byte"},
		{"write", "value", "", "VALUE is missing"},
		{"fwrite", "text", "12", ""},
		{"brk", "to", "4p", "did you mean +4p?"},
		{"madvise", "advice", "dontned", "did you mean dontneed?"},
		{"fork", "x", "", "fork has no x"},
	} {
		err := g.Verb(c.verb).CheckField(c.param, c.text)
		if got := fmt.Sprint(err); (err == nil) != (c.want == "") || err != nil && !strings.Contains(got, c.want) {
			t.Errorf("%s %s %q\n got %s\nwant %s", c.verb, c.param, c.text, got, c.want)
		}
	}
}
