package tui

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cowscope/tui/pane"
)

// Every picture is recognised by how it begins, whatever is on the screen: so it can be drawn
// again. A text that only speaks of cowscope is none.
func TestStillsAreRecognised(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	dir := t.TempDir()
	for _, size := range []Size{{pane.MinWidth, pane.MinHeight}, {120, 36}, {300, 100}} {
		for name, o := range map[string]Options{"dark": {Theme: "dark"}, "light": {Theme: "light"}, "ASCII": {Theme: "dark", ASCII: true}, "plain": {Theme: "dark", Plain: true}} {
			for _, keys := range []string{"", "?", ": type:mmap", "m", "m Enter w f [", "m Enter w { B"} {
				d := drive(t, size.W, size.H, o)
				d.press(strings.Fields(keys)...)
				for _, k := range stills {
					path := filepath.Join(dir, fmt.Sprintf("a%s", k.ending))
					for range 2 {
						if err := d.m.writeStill(path); err != nil {
							b, _ := os.ReadFile(path)
							t.Fatalf("%v %s after %q: %v\n%.200q", size, name, keys, err, b)
						}
					}
					os.Remove(path)
				}
			}
		}
	}
	for _, text := range []string{
		"cowscope is a terminal laboratory\n", " cowscope · lab\n", "<svg xmlns=\"http://www.w3.org/2000/svg\"><title>mine</title></svg>\n", "\x1b[1mcowscope\x1b[m\n",
		"notes of step 1/2 \n cowscope · lab  step 1/1  ● live\n",
	} {
		for _, k := range stills {
			path := filepath.Join(dir, "mine"+k.ending)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := k.file("--still").Check(path); err == nil {
				t.Errorf("%q would be overwritten as %s", text, k.ending)
			}
		}
	}
}
