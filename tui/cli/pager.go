package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"

	"github.com/charmbracelet/x/term"
)

// noPager is the status of a shell that does not find the program (sh(1)).
const noPager = 127

// paged writes a text of cowscope's own, through the user's pager where it is longer than the terminal
// is high: $PAGER, or less. An empty PAGER is none, as for man(1).
func paged(write func(io.Writer) error) error {
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return err
	}
	_, height, err := term.GetSize(os.Stdout.Fd())
	pager, set := os.LookupEnv("PAGER")
	if !set {
		pager = "less"
	}
	if err == nil && height > 0 && bytes.Count(text.Bytes(), []byte("\n")) >= height && pager != "" {
		c := exec.Command("/bin/sh", "-c", pager)
		c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(text.Bytes()), os.Stdout, os.Stderr
		c.Env = os.Environ()
		if _, set := os.LookupEnv("LESS"); !set {
			c.Env = append(c.Env, "LESS=FRX")
		}
		var ended *exec.ExitError
		if err := c.Run(); err == nil || errors.As(err, &ended) && ended.ExitCode() != noPager {
			return nil // a pager that is left early may fail
		}
	}
	_, err = stdout.Write(text.Bytes())
	return err
}
