package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

// TestEditor presses keys on "one two  três" with the cursor, drawn as |, behind it.
func TestEditor(t *testing.T) {
	for keys, want := range map[string]string{
		"left left":                   "one two  tr|ês",
		"left backspace":              "one two  tr|s",
		"delete ctrl+d":               "one two  três|",
		"home delete":                 "|ne two  três",
		"home left backspace":         "|one two  três",
		"alt+left":                    "one two  |três",
		"ctrl+left ctrl+left":         "one |two  três",
		"home alt+right":              "one| two  três",
		"home alt+f alt+f":            "one two|  três",
		"home alt+b":                  "|one two  três",
		"end alt+right":               "one two  três|",
		"ctrl+w":                      "one two  |",
		"ctrl+w ctrl+w":               "one |",
		"home alt+d":                  "| two  três",
		"alt+left ctrl+k":             "one two  |",
		"alt+left ctrl+u":             "|três",
		"ctrl+a ctrl+f ctrl+f ctrl+b": "o|ne two  três",
		"ctrl+a ctrl+e right":         "one two  três|",
		"ctrl+a ctrl+h":               "|one two  três",
		"f5 ctrl+x":                   "one two  três|",
	} {
		e := newEditor("one two  três")
		for k := range strings.FieldsSeq(keys) {
			press, ok := keyPress(k)
			if !ok {
				press = editKey(t, k)
			}
			e.key(press)
		}
		if got := string(e.runes[:e.at]) + "|" + string(e.runes[e.at:]); got != want {
			t.Errorf("%s: %q, want %q", keys, got, want)
		}
	}
}

// editKey is the press of a key with a modifier.
func editKey(t *testing.T, name string) tea.KeyPressMsg {
	t.Helper()
	mod, rest, _ := strings.Cut(name, "+")
	k, ok := keyPress(rest)
	m, known := map[string]tea.KeyMod{"ctrl": tea.ModCtrl, "alt": tea.ModAlt}[mod]
	if !known && name == "f5" {
		return tea.KeyPressMsg{Code: tea.KeyF5}
	}
	if !ok || !known {
		t.Fatalf("no key is called %s", name)
	}
	k.Mod, k.Text = m, ""
	return k
}

// TestEditorTakesWhatIsPrintable puts in what a paste may hold.
func TestEditorTakesWhatIsPrintable(t *testing.T) {
	e := newEditor("ab")
	e.left()
	e.insert("1\t2\r\n3\x1b[31m\x00\u0085é\ufffd")
	if got := e.text(); got != "a1 2  3[31m éb" || e.at != len(e.runes)-1 {
		t.Errorf("%q at %d", got, e.at)
	}
	e.insert(strings.Repeat("x", 2*maxEdited))
	if len(e.runes) != maxEdited || !strings.HasSuffix(e.text(), "xb") {
		t.Errorf("%d characters, which end with %q", len(e.runes), e.text()[maxEdited-2:])
	}
}
