package tui_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A program is stepped on the screen, to its end, and back.
func TestRunOnATerminal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "walk.jsonl")
	c := start(t, 120, 36, nil, "run", "--save", path, "sh", "-c", "echo words; (exit 4); exit 3")
	c.sees("cowscope · run · ", "● live", "Space step", "n line", "c continue").keys("m").sees("a program runs here").keys(" ").keys("[").sees("◀ history").keys(" ").sees("goes back to where the program is")
	c.keys("}").sees("● live").keys("c").sees("exited 3", `It has written "words\n".`).keys(" ").sees("nothing is left of the program: exited 3")
	c.keys("[[]").sees("◀ history").keys("q")
	if status := c.ends(); status != 0 {
		t.Errorf("status %d", status)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), `"event":"exit"`) {
		t.Errorf("what was saved: %.200q %v", text, err)
	}
	again := start(t, 120, 36, nil, "replay", path)
	again.sees("replay", "step 0/").keys("}").sees("exited 3").keys("q")
	again.ends()
}

// One that waits is stopped where it is, goes on, and ends with the screen.
func TestRunStopsWhatWaits(t *testing.T) {
	c := start(t, 80, 24, nil, "run", "cat")
	c.sees("● live").keys("c").sees("⟳ continue").keys("\x1b").sees("stopped where it is", "No event has come").keys(" ").sees("⟳ step").keys("\x1b").sees("● live").keys("q")
	if status := c.ends(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// A program that cannot be started is an error before there is a screen.
func TestRunStartsNothing(t *testing.T) {
	if _, complaint, status := ran(t, "", "run", "/nonexistent"); status != 3 || !strings.Contains(complaint, "/nonexistent") {
		t.Errorf("%q, status %d", complaint, status)
	}
}
