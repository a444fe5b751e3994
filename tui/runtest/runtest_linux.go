// Package runtest runs command lines of the program for tests, many of them in one process, because
// most of the time of a cowscope process is its start. The process, a server, is a test program of
// package main, which contains the whole program. Only tests import this package.
package runtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// Role is set in the environment of a server.
const Role = "COWSCOPE_ROLE=server"

// patience is how long a command line may run.
const patience = 2 * time.Minute

// Line is a command line and its surroundings.
type Line struct {
	Args  []string
	Stdin string
	Dir   string   // "" for where the last one was
	Env   []string // in addition to the current environment
}

// Result is the result of a command line.
type Result struct {
	Out, Err string
	Status   int
}

// Texts are transferred as bytes, because they need not be UTF-8.
type (
	request struct {
		Args, Env  [][]byte
		Stdin, Dir []byte
	}
	reply struct {
		Out, Err []byte
		Status   int
	}
)

func bytesOf(texts []string) (out [][]byte) {
	for _, t := range texts {
		out = append(out, []byte(t))
	}
	return out
}

func textsOf(all [][]byte) (out []string) {
	for _, b := range all {
		out = append(out, string(b))
	}
	return out
}

// Serve runs command lines, one after the other, until the input ends. run runs one, writes to out
// and errs, and returns the exit status.
func Serve(run func(args []string, out, errs io.Writer) int) error {
	in, out := json.NewDecoder(os.NewFile(3, "requests")), json.NewEncoder(os.NewFile(4, "replies"))
	for {
		var r request
		if err := in.Decode(&r); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		for _, v := range textsOf(r.Env) {
			name, value, _ := strings.Cut(v, "=")
			if err := os.Setenv(name, value); err != nil {
				return err
			}
		}
		if len(r.Dir) > 0 {
			if err := os.Chdir(string(r.Dir)); err != nil {
				return err
			}
		}
		stdin, w, err := os.Pipe()
		if err != nil {
			return err
		}
		go func() {
			_, _ = w.Write(r.Stdin) // the reader may have closed the pipe
			w.Close()
		}()
		os.Stdin = stdin
		var o, e bytes.Buffer
		status := run(textsOf(r.Args), &o, &e)
		stdin.Close()
		if err := out.Encode(reply{o.Bytes(), e.Bytes(), status}); err != nil {
			return err
		}
	}
}

// server is a running server.
type server struct {
	cmd               *exec.Cmd
	requests, replies *os.File
	to                *json.Encoder
	from              *json.Decoder
	past              bytes.Buffer // output that did not go through the program's own writers
}

func start(bin string) (*server, error) {
	s := &server{cmd: exec.Command(bin)}
	in, requests, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	replies, out, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, in.Close(), requests.Close())
	}
	s.cmd.Env = append(os.Environ(), Role)
	s.cmd.ExtraFiles = []*os.File{in, out}
	s.cmd.Stdout, s.cmd.Stderr = &s.past, &s.past
	s.requests, s.to = requests, json.NewEncoder(requests)
	s.replies, s.from = replies, json.NewDecoder(replies)
	err = s.cmd.Start()
	return s, errors.Join(err, in.Close(), out.Close())
}

// run runs a command line on the server.
func (s *server) run(l Line) (Result, error) {
	defer time.AfterFunc(patience, func() { s.cmd.Process.Kill() }).Stop()
	var r reply
	err := s.to.Encode(request{bytesOf(l.Args), bytesOf(l.Env), []byte(l.Stdin), []byte(l.Dir)})
	if err == nil {
		err = s.from.Decode(&r)
	}
	return Result{string(r.Out), string(r.Err), r.Status}, err
}

// end ends the server; it fails if there was output past the program's writers.
func (s *server) end() error {
	err := errors.Join(s.requests.Close(), s.cmd.Wait(), s.replies.Close())
	if s.past.Len() > 0 {
		err = errors.Join(err, fmt.Errorf("went past the writers of package cli: %.2000q", s.past.String()))
	}
	return err
}

// Each calls do for each element of all, two at a time, each with a server of its own; bin is the
// test program of package cli. do receives a function that runs a command line.
func Each[T any](t *testing.T, bin string, all []T, do func(x T, run func(Line) Result)) {
	t.Helper()
	var g sync.WaitGroup
	next := make(chan T)
	for range 2 {
		g.Go(func() {
			var s *server
			for x := range next {
				do(x, func(l Line) Result {
					var err error
					if s == nil {
						if s, err = start(bin); err != nil {
							t.Error(err)
							s = nil
							return Result{}
						}
					}
					r, err := s.run(l)
					if err != nil { // it has died, or hangs: the next line gets a new one
						t.Errorf("%q: %v: %v", l, err, s.end())
						s = nil
					}
					return r
				})
			}
			if s != nil {
				if err := s.end(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, x := range all {
		next <- x
	}
	close(next)
	g.Wait()
}
