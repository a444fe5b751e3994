package machinetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Rules of this file: the keeper is the test program itself, started once more. It reads requests
// one after the other, carries them out, and answers each with the text of an error, or "". At the
// end of its input it undoes everything in reverse order, and answers once more. It holds the lock
// together with the test, and until its own end. Signals that end programs do not end it, nor do
// signals to the process group of the test; only SIGKILL to the keeper itself does, and then the
// test fails and says so.

// request is one change: of a setting, or a swap device with a size in bytes.
type request struct {
	Path, Value string
	Swap        int
}

// keeperVariable is in the environment of the keeper.
const keeperVariable = "COWSCOPE_SETTINGS_KEEPER"

// The keeper starts here: before any test, in the test program of every package that imports this
// one.
func init() {
	if os.Getenv(keeperVariable) == "" {
		return
	}
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGPIPE)
	keep(os.Stdin, os.Stdout, os.Stderr)
	os.Exit(0)
}

// keep serves a test. Errors while undoing are also written to complaints, in case the test no
// longer reads.
func keep(requests io.Reader, answers, complaints io.Writer) {
	var undo []func() error
	in, out := json.NewDecoder(requests), json.NewEncoder(answers)
	for {
		var r request
		if in.Decode(&r) != nil {
			break
		}
		var err error
		if r.Swap > 0 {
			err = swapOn(r.Swap, &undo)
		} else {
			err = set(r.Path, r.Value, &undo)
		}
		_ = out.Encode(textOf(err)) // a test that has died reads nothing
	}
	var wrong []error
	for _, u := range slices.Backward(undo) {
		wrong = append(wrong, u())
	}
	if err := errors.Join(wrong...); out.Encode(textOf(err)) != nil && err != nil {
		fmt.Fprintln(complaints, "the settings are not as they were:", err)
	}
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// set writes a setting.
func set(path, value string, undo *[]func() error) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	*undo = append(*undo, func() error {
		if now, err := os.ReadFile(path); err == nil && bytes.Equal(now, before) {
			return nil
		}
		if err := os.WriteFile(path, chosen(before), 0); err != nil {
			return err
		}
		now, err := os.ReadFile(path)
		if err == nil && !bytes.Equal(now, before) {
			err = fmt.Errorf("%s was %q and is %q", path, before, now)
		}
		return err
	})
	return os.WriteFile(path, []byte(value), 0)
}

// chosen is the text to write so that a setting gets its previous value: the word in brackets, if
// there is one.
func chosen(text []byte) []byte {
	_, rest, open := bytes.Cut(text, []byte("["))
	word, _, closed := bytes.Cut(rest, []byte("]"))
	if open && closed {
		return word
	}
	return text
}

// keeper is the test's end of the pipes.
type keeper struct {
	cmd  *exec.Cmd
	pipe io.Closer
	to   *json.Encoder
	from *json.Decoder
}

func startKeeper(lock *os.File) (*keeper, error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), keeperVariable+"=1")
	cmd.ExtraFiles = []*os.File{lock}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &keeper{cmd, in, json.NewEncoder(in), json.NewDecoder(out)}, nil
}

func (k *keeper) ask(r request) error {
	if err := k.to.Encode(r); err != nil {
		return err
	}
	return k.answer()
}

func (k *keeper) answer() error {
	var text string
	if err := k.from.Decode(&text); err != nil {
		return fmt.Errorf("who keeps the settings has died: %w", err)
	}
	if text != "" {
		return errors.New(text)
	}
	return nil
}

// end makes the keeper undo everything, and waits for it.
func (k *keeper) end() error {
	err := errors.Join(k.pipe.Close(), k.answer())
	return errors.Join(err, k.cmd.Wait())
}
