package observe

import (
	"os"
	"strconv"

	"cowscope/vmspace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// Life is a hold on one process, whoever has its number afterwards (pidfd_open(2)). It keeps nobody
// alive.
type Life struct{ pid, fd int }

// HoldLife takes hold of a process.
func HoldLife(pid int) (*Life, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, err
	}
	return &Life{pid, fd}, nil
}

// Close lets go of the process.
func (l *Life) Close() error { return unix.Close(l.fd) }

// Ending is how the process ended. It is not known while the process lives, and where the kernel
// tells nobody but the parent: of a process that was waited for, before Linux 6.15 (PIDFD_INFO_EXIT
// in include/uapi/linux/pidfd.h). That of a zombie is in its stat, for whoever may read its memory
// (proc_pid_stat(5)).
func (l *Life) Ending() (e Ending, known bool) {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if unix.IoctlPidfdInfo(l.fd, &info) == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0 {
		return ending(unix.WaitStatus(info.Exit_code)), true
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(l.pid) + "/stat")
	if err != nil || unix.PidfdSendSignal(l.fd, 0, nil, 0) == unix.ESRCH { // else the number is still its own
		return e, false
	}
	stat, err := procfs.ParseStat(text)
	return ending(unix.WaitStatus(stat.ExitStatus)), err == nil && stat.State == vmspace.Zombie
}

func ending(w unix.WaitStatus) Ending {
	if w.Signaled() {
		return Ending{Signal: int(w.Signal())}
	}
	return Ending{Code: w.ExitStatus()}
}
