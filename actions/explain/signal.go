package explain

import (
	"fmt"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// Why an instruction was stopped. The kernel tells a tracer the signal, its code and an address
// (sigaction(2)), but not whether the access was a load or a store: for cowscope's own instructions
// that is known, for foreign code it can at most be inferred from the permissions.

var signalReasons = []reason{
	{"SIGSEGV/MAPERR", "guard", "madvise(2), MADV_GUARD_INSTALL", func(e *evidence) bool { return e.faultPage().State == vmspace.Guard },
		func(e *evidence) string {
			return fmt.Sprintf("%s is a guard page: any touch is refused, whatever the letters allow.", e.placeText(e.st.Fault))
		}},
	{"SIGSEGV/MAPERR", "NULL", "proc_sys_vm(5), mmap_min_addr", func(e *evidence) bool {
		_, mapped := e.faultMapping()
		return !mapped && e.st.Fault < e.pageSize()
	}, func(e *evidence) string {
		text := fmt.Sprintf("0x%x is a NULL pointer, or one plus an offset: nothing is mapped in the lowest page.", e.st.Fault)
		if least, known := e.Number(minAddr); known && least > 0 {
			text += fmt.Sprintf(" vm.mmap_min_addr keeps all below 0x%x free.", least)
		}
		return text
	}},
	{"SIGSEGV/MAPERR", "kernel's half", "Documentation/arch/x86/x86_64/mm.rst", func(e *evidence) bool {
		return kernel.UserTop() > 0 && e.st.Fault >= kernel.UserTop()
	}, func(e *evidence) string {
		return fmt.Sprintf("0x%x lies past 0x%x, the end of the user's addresses: what is there is the kernel's.", e.st.Fault, kernel.UserTop())
	}},
	{"SIGSEGV/MAPERR", "unmapped before", "munmap(2)", func(e *evidence) bool { return e.unmappedIn() != nil },
		func(e *evidence) string {
			st := e.unmappedIn()
			return fmt.Sprintf("nothing is mapped at %s any more: step %d (%s) removed the mapping. A name keeps its address, as a pointer does.",
				e.placeText(e.st.Fault), st.N, st.Command)
		}},
	{"SIGSEGV/MAPERR", "stack near a mapping", "mm/vma.c, expand_downwards", func(e *evidence) bool {
		m, ok := e.belowStack()
		return ok && e.st.Fault&^(e.pageSize()-1)-m.End < stackGap*e.pageSize() && m.Perms&allLetters != 0
	}, func(e *evidence) string {
		m, _ := e.belowStack()
		return fmt.Sprintf("to reach 0x%x %s would have to grow, but it keeps %d pages from %s, which ends at 0x%x.",
			e.st.Fault, e.growerAbove(), stackGap, e.mappingName(m, m.End-1), m.End)
	}},
	{"SIGSEGV/MAPERR", "RLIMIT_AS", "getrlimit(2)", func(e *evidence) bool {
		m, ok := e.stackAbove()
		return ok && e.exceedsLimit(kernel.LimitAS, "VmSize", m.Start-e.faultPageStart())
	}, func(e *evidence) string {
		m, _ := e.stackAbove()
		return fmt.Sprintf("to reach 0x%x %s would have to grow: %s", e.st.Fault, e.growerAbove(), e.limitText(kernel.LimitAS, "VmSize", m.Start-e.faultPageStart()))
	}},
	{"SIGSEGV/MAPERR", "RLIMIT_STACK", "getrlimit(2)", func(e *evidence) bool {
		m, ok := e.stackAbove()
		return ok && e.stackSize(m) > e.Limit(kernel.LimitStack)
	}, func(e *evidence) string {
		m, _ := e.stackAbove()
		return fmt.Sprintf("to reach 0x%x %s would have to grow to %s, and RLIMIT_STACK allows %s.",
			e.st.Fault, e.growerAbove(), amount.Size(e.stackSize(m)), amount.Size(e.Limit(kernel.LimitStack)))
	}},
	{"SIGSEGV/MAPERR", "RLIMIT_MEMLOCK", "getrlimit(2)", func(e *evidence) bool {
		m, ok := e.stackAbove()
		return ok && m.Smaps.HasFlag("lo") && e.overMemlock(m.Start-e.faultPageStart())
	}, func(e *evidence) string {
		m, _ := e.stackAbove()
		return fmt.Sprintf("to reach 0x%x %s would have to grow, and it is locked: %s", e.st.Fault, e.growerAbove(), e.memlockText(m.Start-e.faultPageStart()))
	}},
	{"SIGSEGV/MAPERR", "near a mapping", "proc_pid_maps(5)", func(e *evidence) bool {
		_, ok := e.faultMapping()
		return !ok && e.before.Mappings.Len() > 0
	}, func(e *evidence) string {
		return fmt.Sprintf("nothing is mapped at %s. %s", e.placeText(e.st.Fault), e.nearestText())
	}},
	fallback("SIGSEGV/MAPERR", "sigaction(2)", "nothing is mapped there that the access could reach."),

	{"SIGSEGV/ACCERR", "stack grew", "mm/vma.c, expand_downwards", func(e *evidence) bool { return e.stackGrew() },
		func(e *evidence) string {
			return fmt.Sprintf("to reach 0x%x %s grew, and then its letters did not allow %s.", e.st.Fault, e.growerAbove(), e.accessWord())
		}},
	{"SIGSEGV/ACCERR", "no letters", "mmap(2), PROT_NONE", func(e *evidence) bool { return e.lacks(allLetters) },
		func(e *evidence) string { return e.denied() + ", nor anything else." }},
	{"SIGSEGV/ACCERR", "not executable", "mmap(2)", func(e *evidence) bool { return e.accessed(vmspace.Fetch) && e.lacks(vmspace.Exec) },
		func(e *evidence) string { return e.denied() + ": without x, data does not run as code." }},
	{"SIGSEGV/ACCERR", "not writable", "mmap(2)", func(e *evidence) bool { return e.accessed(vmspace.Store) && e.lacks(vmspace.Write) },
		func(e *evidence) string { return e.denied() + "." }},
	{"SIGSEGV/ACCERR", "not readable", "mmap(2)", func(e *evidence) bool { return e.accessed(vmspace.Load) && e.lacks(vmspace.Read) },
		func(e *evidence) string { return e.denied() + "." }},
	{"SIGSEGV/ACCERR", "foreign access", "sigaction(2)", func(e *evidence) bool {
		_, ok := e.faultMapping()
		return ok && e.Verb == "exec"
	}, func(e *evidence) string {
		m, _ := e.faultMapping()
		return fmt.Sprintf("the code at %s went to %s, which is mapped %s; the kernel does not say whether it was to read, to write or to fetch an instruction.",
			e.placeText(e.StoppedAt), e.placeText(e.st.Fault), m.Perms)
	}},
	fallback("SIGSEGV/ACCERR", "sigaction(2)", "the mapping there does not allow the access."),

	{"SIGSEGV/PKUERR", "execute only", "pkeys(7)", func(e *evidence) bool {
		m := e.faultMappingNow()
		return m.Perms&allLetters == vmspace.Exec && !e.hasKey(int32(keyIn(m)))
	}, func(e *evidence) string {
		m := e.faultMappingNow()
		key := "a protection key"
		if k := keyIn(m); k != 0 {
			key = fmt.Sprintf("protection key %d", k)
		}
		return fmt.Sprintf("%s is mapped %s. What may only be executed can be neither read nor written: the kernel gave it %s, with which "+
			"nobody may. The letter r would allow it.", e.placeText(e.st.Fault), m.Perms, key)
	}},
	{"SIGSEGV/PKUERR", "protection key", "pkeys(7)", func(e *evidence) bool {
		m := e.faultMappingNow()
		return m.Smaps != nil && e.Keys.Known && e.Keys.Forbid(keyIn(m), vmspace.Store)
	}, func(e *evidence) string {
		key := keyIn(e.faultMappingNow())
		return fmt.Sprintf("%s has protection key %d, and with the rights of %s (PKRU 0x%08x) memory that has it may be %s, whatever its letters "+
			"are. `pkey_set %d` would allow it, or pkey_mprotect with another key.",
			e.placeText(e.st.Fault), key, e.st.Process, e.Keys.PKRU, history.KeyText(e.Keys, key), key)
	}},
	fallback("SIGSEGV/PKUERR", "pkeys(7)", "the rights of the process to the protection key of that memory forbid the access."),

	{"SIGSEGV/KERNEL", "non-canonical", "Documentation/arch/x86/x86_64/mm.rst", func(e *evidence) bool { return e.nonCanonical() != 0 },
		func(e *evidence) string {
			return fmt.Sprintf("0x%x is not a canonical address: the upper %d bits of one are all equal. The CPU refuses the access itself, and reports no address.",
				e.nonCanonical(), 64-kernel.AddressBits())
		}},
	{"SIGSEGV/KERNEL", "privileged", "arch/x86/kernel/traps.c, exc_general_protection", func(e *evidence) bool {
		return e.Verb == "exec"
	}, func(e *evidence) string {
		return fmt.Sprintf("the instruction at %s is for the kernel only, or goes to an address that is not canonical; the CPU does not say which.",
			e.placeText(e.StoppedAt))
	}},
	fallback("SIGSEGV/KERNEL", "sigaction(2)", "the CPU refused the instruction and reported no address."),

	{"SIGBUS/ADRERR", "pool empty", "mmap(2), MAP_HUGETLB", func(e *evidence) bool {
		m, ok := e.faultMapping()
		size, known := e.fileSize(m)
		return ok && m.Smaps.HasFlag("ht") && (strings.HasPrefix(m.Path, "/anon_hugepage") || known && e.st.Fault-m.Start+m.Offset < size)
	}, func(e *evidence) string {
		free, _ := e.Meminfo("HugePages_Free")
		return fmt.Sprintf("%s needs a huge page, and the pool gave none (HugePages_Free is %d).", e.placeText(e.st.Fault), free)
	}},
	{"SIGBUS/ADRERR", "past the file", "mmap(2)", func(e *evidence) bool {
		m, ok := e.faultMapping()
		size, known := e.fileSize(m)
		return ok && known && e.st.Fault-m.Start+m.Offset >= size
	}, func(e *evidence) string {
		m, _ := e.faultMapping()
		size, _ := e.fileSize(m)
		at := e.st.Fault - m.Start + m.Offset
		return fmt.Sprintf("%s is mapped, but its file or shared memory has %s, and this is byte %d: there is no page for it.",
			e.placeText(e.st.Fault), amount.Bytes(size), at)
	}},
	{"SIGBUS/ADRERR", "lent by the kernel", "vdso(7)", func(e *evidence) bool { m, ok := e.faultMapping(); return ok && lent(m) },
		func(e *evidence) string {
			m, _ := e.faultMapping()
			return fmt.Sprintf("%s is mapped, but the kernel has no page for this place of %s.", e.placeText(e.st.Fault), printable.Name(m.Path))
		}},
	poisonedPage("SIGBUS/ADRERR"),
	{"SIGBUS/ADRERR", "missing", "fs/userfaultfd.c, handle_userfault", func(e *evidence) bool {
		m := e.faultMappingNow()
		_, sized := e.fileSize(m)
		return (m.Smaps.HasFlag("um") || m.Smaps.HasFlag("ui")) && (anonymous(m) || sized) && !present(e.faultPage().State) && !present(e.faultPageNow().State)
	}, func(e *evidence) string {
		m, how := e.faultMappingNow(), "`uffd_copy` or `uffd_zeropage` brings the page in."
		switch missing, minor := m.Smaps.HasFlag("um"), m.Smaps.HasFlag("ui"); {
		case minor && missing:
			how = "`uffd_continue` maps it, or, where there is none, `uffd_copy` brings one in."
		case minor:
			how = "`uffd_continue` maps it."
		}
		return fmt.Sprintf("%s is %s: its descriptor answers with SIGBUS. %s", e.placeText(e.st.Fault), handledText(m), how)
	}},
	{"SIGBUS/ADRERR", "write-protected", "fs/userfaultfd.c, handle_userfault", func(e *evidence) bool {
		m, _ := e.faultMapping()
		return m.Smaps.HasFlag("uw") && e.faultPage().Attrs&vmspace.UffdWP != 0 && (present(e.faultPage().State) || present(e.faultPageNow().State))
	}, func(e *evidence) string {
		text := fmt.Sprintf("%s is write-protected with userfaultfd (uffd-wp), whose descriptor answers with SIGBUS, whatever the letters allow.", e.placeText(e.st.Fault))
		if !present(e.faultPage().State) {
			text += " Before that the page came in, as its marker wants it: write-protected."
		}
		return text + " `uffd_unwp` would let the write through."
	}},
	{"SIGBUS/ADRERR", "full", "mm/shmem.c, shmem_fault", func(e *evidence) bool {
		m, ok := e.faultMapping()
		size, known := e.fileSize(m)
		return ok && known && e.st.Fault-m.Start+m.Offset < size && !present(e.faultPage().State) && e.Full(m, e.nowAt(m))
	}, func(e *evidence) string {
		return fmt.Sprintf("%s is mapped, and lies within its file, which has no page for that place yet: its file system (tmpfs) is full, and has no memory "+
			"left for one.", e.placeText(e.st.Fault))
	}},
	{"SIGBUS/ADRERR", "past some end", "mmap(2)", nil, func(e *evidence) string {
		text := ""
		if m := e.faultMappingNow(); m.Smaps.HasFlag("um") || m.Smaps.HasFlag("ui") {
			text = ", or it is " + handledText(m)
		}
		return fmt.Sprintf("%s is mapped, but there is no page behind it: its file or shared memory ends before it, or could not be read%s.",
			e.placeText(e.st.Fault), text)
	}},
	{"SIGBUS/ADRALN", "alignment", "sigaction(2)", nil, func(e *evidence) string {
		return fmt.Sprintf("the instruction at %s needs an address that is a multiple of the size of the access.", e.placeText(e.StoppedAt))
	}},
	{"SIGBUS/KERNEL", "stack address", "arch/x86/kernel/traps.c, exc_stack_segment", nil, func(e *evidence) string {
		return fmt.Sprintf("the instruction at %s went to the stack, and the stack pointer is not a canonical address.", e.placeText(e.StoppedAt))
	}},
	fallback("SIGBUS/OBJERR", "sigaction(2)", "the device behind the mapping failed."),
	poisonedPage("SIGBUS/MCEERR_AR"),
	fallback("SIGBUS/MCEERR_AR", "sigaction(2)", "the memory hardware failed: the CPU read data that cannot be corrected."),

	{"SIGILL/ILLOPN", "no protection keys", "pkeys(7)", func(e *evidence) bool { return e.Verb == "pkey_set" },
		func(*evidence) string {
			return "this processor has no protection keys, or the kernel does not use them: RDPKRU is not an instruction here."
		}},
	opcode("ILLOPC", "is unknown to this CPU"),
	opcode("ILLOPN", "is unknown to this CPU, or has an operand that it does not take"),
	opcode("ILLTRP", "is an unexpected trap"),
	opcode("PRVOPC", "may be executed only by the kernel"),
	opcode("PRVREG", "goes to a register of the kernel"),
	opcode("COPROC", "is for a unit of the CPU that failed"),
	opcode("BADSTK", "met an internal stack error"),

	arithmetic("INTDIV", "divides a whole number by zero, or the quotient does not fit"),
	arithmetic("INTOVF", "overflowed a whole number"),
	arithmetic("FLTDIV", "divides a floating-point number by zero, and the code has enabled that exception"),
	arithmetic("FLTOVF", "got a floating-point number too large, and the code has enabled that exception"),
	arithmetic("FLTUND", "got a floating-point number too small, and the code has enabled that exception"),
	arithmetic("FLTRES", "had to round, and the code has enabled that exception"),
	arithmetic("FLTINV", "has no floating-point result, such as zero by zero, and the code has enabled that exception"),
}

func opcode(code, what string) reason { return foreignInstruction("SIGILL/"+code, "instruction", what) }

func arithmetic(code, what string) reason {
	return foreignInstruction("SIGFPE/"+code, "arithmetic", what)
}

// foreignInstruction is for an instruction of foreign code that is wrong in itself.
func foreignInstruction(result, name, what string) reason {
	return reason{result, name, "sigaction(2)", nil, func(e *evidence) string {
		return fmt.Sprintf("the instruction at %s %s.", e.placeText(e.StoppedAt), what)
	}}
}

const allLetters = vmspace.Read | vmspace.Write | vmspace.Exec

// stackGap is the distance in pages that a growing stack keeps from the mapping below it
// (stack_guard_gap in mm/mmap.c; a boot parameter can change it).
const stackGap = 256

// explainSignal explains why an instruction was stopped, and that the process lives on.
func explainSignal(e *evidence) string {
	st := e.st
	text := "the CPU raised " + st.Result.String() + "."
	if why, ok := e.reason(reasonTable{"signal", signalReasons}); ok {
		text = why
	}
	if !strings.HasPrefix(text, e.placeText(st.Fault)+" ") { // a name stays as it is written
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if st.Done > 0 {
		unit := "byte"
		if e.Verb == "touch" {
			unit = "page"
		}
		text += fmt.Sprintf(" Before that, %s succeeded.", amount.Of(st.Done, unit))
	}
	return text + " A process without a handler dies of it; cowscope suppressed it, so that " + st.Process + " lives on."
}
