package procfs

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// block is the text of one mapping; detail makes it another.
func smapsBlock(page, pages, rss int, flags string) string {
	return fmt.Sprintf("%x-%x rw-p 00000000 00:00 0 \nSize: %d kB\nRss: %d kB\nPss: %d kB\nVmFlags: %s\n", page<<12, (page+pages)<<12, pages*4, rss, rss, flags)
}

// Whatever changes in the text, the memory says what a parse of all of it says, and what did not
// change is kept.
func TestSmapsMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var mem SmapsText
		blocks := []string{}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch n := len(blocks); rapid.IntRange(0, 4).Draw(t, "what") {
			case 0, 1: // another mapping somewhere: all are numbered anew below
				i := rapid.IntRange(0, n).Draw(t, "at")
				blocks = append(blocks[:i:i], append([]string{fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "rss"))}, blocks[i:]...)...)
			case 2:
				if n > 0 {
					i := rapid.IntRange(0, n-1).Draw(t, "at")
					blocks = append(blocks[:i:i], blocks[i+1:]...)
				}
			case 3:
				if n > 0 {
					blocks[rapid.IntRange(0, n-1).Draw(t, "at")] = fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "rss"))
				}
			}
			dense := rapid.Bool().Draw(t, "dense")
			text := ""
			for i, b := range blocks {
				page := 16 + 4*i
				if !dense {
					page = 16 + 8*i
				}
				text += smapsBlock(page, 2, 4*int(b[0]-'0'), strings.Repeat("rd ", 1+int(b[0]-'0')%2))
			}
			if rapid.IntRange(0, 9).Draw(t, "cut") == 0 && len(text) > 0 {
				text = text[:rapid.IntRange(0, len(text)-1).Draw(t, "length")]
			}
			want, err := parseSmaps(nil, []byte(text))
			got, err2 := mem.Parse([]byte(text))
			if fmt.Sprint(err) != fmt.Sprint(err2) {
				t.Fatalf("%q: error %v, want %v", text, err2, err)
			}
			if err == nil && len(want)+len(got) > 0 && !reflect.DeepEqual(got, want) {
				t.Fatalf("%q\n got %+v\nwant %+v", text, got, want)
			}
		}
	})
}

func TestSmapsMemoryKeepsWhatIsTheSame(t *testing.T) {
	var mem SmapsText
	text := func(rss int) []byte {
		return []byte(smapsBlock(16, 2, 4, "rd") + smapsBlock(20, 2, rss, "rd") + smapsBlock(24, 2, 8, "rd wr"))
	}
	a, err := mem.Parse(text(4))
	if err != nil {
		t.Fatal(err)
	}
	first, middle, last := a[0].Smaps, a[1].Smaps, a[2].Smaps
	b, err := mem.Parse(text(128))
	if err != nil {
		t.Fatal(err)
	}
	if b[0].Smaps != first || b[1].Smaps == middle || b[2].Smaps != last || b[1].Smaps.Rss != 128<<10 {
		t.Errorf("kept %v, new %v, kept %v: %+v", b[0].Smaps == first, b[1].Smaps != middle, b[2].Smaps == last, b[1].Smaps)
	}
}
