package procfs

import (
	"os"
	"os/exec"
	"testing"
)

func TestProcesses(t *testing.T) {
	zombie := exec.Command("true")
	out, err := zombie.StdoutPipe() // ends with the process
	if err != nil {
		t.Fatal(err)
	}
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = out.Read(make([]byte, 1))
	for zombie.ProcessState == nil { // until it is one: stat says Z
		stat, err := ParseStat(procText(zombie.Process.Pid, "stat"))
		if err == nil && stat.State.String() == "zombie" {
			break
		}
	}
	own := false
	for _, p := range Processes() {
		switch p.PID {
		case os.Getpid():
			own = true
			if !p.Readable || p.RSS == 0 || p.UID != os.Geteuid() || p.Parent != os.Getppid() || p.Args == "" || p.Name == "" {
				t.Errorf("%+v", p)
			}
		case zombie.Process.Pid:
			t.Errorf("a zombie is listed: %+v", p)
		case 2:
			if Name(2) == "kthreadd" {
				t.Errorf("a kernel thread is listed: %+v", p)
			}
		}
	}
	if !own {
		t.Error("this process is not listed")
	}
	if err := zombie.Wait(); err != nil {
		t.Error(err)
	}
	if PSS(os.Getpid()) == 0 || PSS(1<<30) != 0 {
		t.Error("the proportional set size of this process or of nobody")
	}
}
