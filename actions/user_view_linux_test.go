package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"cowscope/actions/family"
	"cowscope/actions/lang"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"

	"pgregory.net/rapid"
)

// TestUserSeesWhatRootSees holds what a reader without frame numbers makes of a family that stands
// still against what one with them sees: it may say that it does not know, but nothing else that is
// not so.
func TestUserSeesWhatRootSees(t *testing.T) {
	require(t, "frames")
	for name, o := range map[string]observe.Options{"scan": {NoFrames: true}, "nodes": {NoFrames: true, NoScan: true}} {
		t.Run(name, func(t *testing.T) {
			pages, unknown := 0, 0
			defer func() { t.Logf("%d of %d pages unknown", unknown, pages) }()
			rapid.Check(t, func(t *rapid.T) {
				s, err := Open(Options{Limits: family.Limits{Memory: 128 * huge}})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				user, err := observe.NewReader(o)
				if err != nil {
					t.Fatal(err)
				}
				defer user.Close()
				script := []string{"a = mmap " + blocks(2) + " rw private anon" + onBlock, "madvise a hugepage"}
				for i := range rapid.IntRange(5, 40).Draw(t, "commands") {
					if i >= len(script) {
						draw := drawHugeLine
						if rapid.Bool().Draw(t, "any line") {
							draw = drawLine
						}
						script = append(script, draw(t, s))
					}
					_, err := s.Do(context.Background(), script[i])
					var mistake *lang.SyntaxError
					if err != nil && !errors.As(err, &mistake) {
						t.Fatal(err)
					}
					n, u, wrong := compareUser(t, s, user)
					if pages, unknown = pages+n, unknown+u; wrong != "" {
						t.Fatalf("%s\n\n# %s", strings.Join(script[:i+1], "\n"), wrong)
					}
				}
			})
		})
	}
	if os.Getuid() != 0 {
		t.Error("frames are visible to nobody but root")
	}
}

// compareUser has the user look at what root saw last, and compares. What differs is believed only
// of a family that stood still meanwhile: khugepaged may have made a huge page of it, and then
// both look again.
func compareUser(t *rapid.T, s *Session, user *observe.Reader) (pages, unknown int, wrong string) {
	for {
		root := s.last().After
		seen, err := user.Observe(context.Background(), s.f.Shown(), observe.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		pages, unknown, wrong = compareViews(root, seen, user.Features().Guard)
		if wrong == "" {
			return pages, unknown, wrong
		}
		if _, err := s.Do(context.Background(), "snapshot"); err != nil {
			t.Fatal(err)
		}
		if _, _, moved := compareViews(root, s.last().After, true); moved == "" {
			return pages, unknown, wrong
		}
	}
}

// compareViews counts the pages that root sees, and those of them that the user does not know, and
// says where the user is wrong. Without PAGEMAP_SCAN (guards) a poisoned page looks like one in
// swap.
func compareViews(root, user *vmspace.Snapshot, guards bool) (pages, unknown int, wrong string) {
	for _, p := range root.Processes {
		q := user.Process(p.Label)
		if !p.Alive() || q == nil || q.Err != "" {
			continue
		}
		for _, r := range p.Pages.All() {
			for i := range r.Pages {
				at := r.Start + i*root.PageSize
				x := q.PageAt(at, root.PageSize)
				pages++
				switch {
				case x.State == vmspace.Unknown && r.State != vmspace.Unknown:
					unknown++
				case r.Attrs&vmspace.Poisoned != 0 && x.State == vmspace.Swapped && !guards:
				case x.State != r.State:
					return pages, unknown, fmt.Sprintf("%s 0x%x is %s, and the user takes it for %s (word 0x%x, scan 0x%x)", p.Label, at, r.State, x.State, x.Word, x.Scan)
				}
			}
		}
	}
	return pages, unknown, ""
}
