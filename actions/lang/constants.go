package lang

import (
	"slices"
	"strconv"
	"strings"
)

// Names of kernel constants in the language: signals, errnos, si_codes. Only the names and, for
// signals, the numbers, which amd64 and arm64 share. See signal(7), errno(3), sigaction(2).

// signals lists the names by number; number 0 is no signal.
var signals = strings.Fields(`0 SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV
	SIGUSR2 SIGPIPE SIGALRM SIGTERM SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ
	SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS`)

// lastSignal is the highest signal number, that of the last real-time signal.
const lastSignal = 64

// Signal is the number of a signal.
type Signal int

// String is SIGTERM, or the number of a signal without a name.
func (s Signal) String() string {
	if s > 0 && int(s) < len(signals) {
		return signals[s]
	}
	return strconv.Itoa(int(s))
}

// SignalNamed finds a signal by its full name.
func SignalNamed(name string) (Signal, bool) {
	i := slices.Index(signals, name)
	return Signal(max(i, 0)), i > 0
}

var errnos = strings.Fields(`EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT
	ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK
	EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG
	EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE
	ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN
	ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT
	ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET
	ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH
	EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY
	EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL EHWPOISON EWOULDBLOCK EDEADLOCK ENOTSUP`)

// codes lists the si_codes by signal, without their prefixes SEGV_ and BUS_. Those under "" may
// come with any signal.
var codes = map[string][]string{
	"":        strings.Fields(`USER KERNEL QUEUE TIMER MESGQ ASYNCIO SIGIO TKILL`),
	"SIGILL":  strings.Fields(`ILLOPC ILLOPN ILLADR ILLTRP PRVOPC PRVREG COPROC BADSTK BADIADDR`),
	"SIGFPE":  strings.Fields(`INTDIV INTOVF FLTDIV FLTOVF FLTUND FLTRES FLTINV FLTSUB FLTUNK CONDTRAP`),
	"SIGSEGV": strings.Fields(`MAPERR ACCERR BNDERR PKUERR ACCADI ADIDERR ADIPERR MTEAERR MTESERR CPERR`),
	"SIGBUS":  strings.Fields(`ADRALN ADRERR OBJERR MCEERR_AR MCEERR_AO`),
	"SIGTRAP": strings.Fields(`BRKPT TRACE BRANCH HWBKPT UNK PERF`),
	"SIGCHLD": strings.Fields(`EXITED KILLED DUMPED TRAPPED STOPPED CONTINUED`),
}

func codesOf(signal string) []string { return slices.Concat(codes[signal], codes[""]) }

// endings are the results that are neither an errno nor a signal.
var endings = []string{"ok", "timeout", "exited", "refused"}

func parseSignal(t token) (Signal, *fault) {
	const fits = "SIGTERM, TERM or 15"
	if t.raw != "" && isDigit(t.raw[0]) {
		n, f := parseDecimal(t)
		if f != nil || n == 0 || n > lastSignal {
			return 0, t.fault("no signal "+say(t.raw), "signals are numbered 1 to 64")
		}
		return Signal(n), nil
	}
	name := strings.ToUpper(t.raw)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if s, ok := SignalNamed(name); ok && !t.quoted() {
		return s, nil
	}
	return 0, t.fault("no signal "+say(t.raw), guess(name, signals[1:], fits))
}

// parseResult checks the operand of `expect result`: a result, or several separated by |.
func parseResult(t token) (string, *fault) {
	at := 0
	for one := range strings.SplitSeq(t.raw, "|") {
		if f := oneResult(t, at, one); f != nil {
			return "", f
		}
		at += len(one) + 1
	}
	return t.raw, nil
}

// oneResult checks a result that begins in t at the offset at.
func oneResult(t token, at int, one string) *fault {
	head, code, coded := strings.Cut(one, "/")
	if !coded && (slices.Contains(endings, head) || slices.Contains(errnos, head)) {
		return nil
	}
	if !slices.Contains(signals[1:], head) || t.quoted() {
		known := slices.Concat(endings, errnos, signals[1:])
		if coded {
			known = signals[1:]
		}
		return t.part(at, at+len(head), "no result "+say(head), guess(head, known, kinds[KindResult].fits))
	}
	if coded && !slices.Contains(codesOf(head), code) {
		known := codesOf(head)
		return t.part(at+len(head)+1, at+len(one), head+" has no code "+say(code),
			guess(code, known, "its codes are "+oneOf(known)))
	}
	return nil
}
