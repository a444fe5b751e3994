package explain

// sentences are the explanations of a verb, or of a system call of that name.
type sentences struct {
	why     func(*evidence) string // for success; nil if the changes are the explanation
	reasons []reason               // what an errno means
	span    bool                   // it is about a range, and does nothing if that is empty
	// failed is the sentence after a failure without a change; the default is that nothing has
	// changed.
	failed string
}

// verbs are the sentences by the name of the verb. A verb whose changes are the whole explanation
// has no line.
var verbs = map[string]*sentences{
	"mmap":          &mmapSentences,
	"munmap":        &munmapSentences,
	"mprotect":      &mprotectSentences,
	"mremap":        &mremapSentences,
	"madvise":       &madviseSentences,
	"msync":         &msyncSentences,
	"mlock":         &mlockSentences,
	"munlock":       &munlockSentences,
	"mlockall":      &mlockallSentences,
	"munlockall":    &munlockallSentences,
	"mincore":       &mincoreSentences,
	"mseal":         &msealSentences,
	"pkey_alloc":    &pkeyAllocSentences,
	"pkey_free":     &pkeyFreeSentences,
	"pkey_mprotect": &pkeyMprotectSentences,
	"pkey_set":      &pkeySetSentences,
	"setrlimit":     &setrlimitSentences,
	"prctl ksm":     &prctlKSMSentences,
	"prctl thp":     &prctlTHPSentences,
	"prctl mdwe":    &prctlMDWESentences,
	"brk":           &brkSentences,
	"read":          {why: explainAccess},
	"write":         {why: explainAccess},
	"touch":         {why: explainAccess},
	"fill":          {why: explainAccess},
	"exec":          {why: explainExec},
	"fork":          &forkSentences,
	"vfork":         &vforkSentences,
	"exit":          {why: explainDeath},
	"kill":          {why: explainDeath},
	"wait":          &waitSentences,
	"file":          &fileSentences,
	"memfd":         &memfdSentences,
	"seal":          &sealSentences,
	"link":          {why: explainLink},
	"rename":        {why: explainRename},
	"fwrite":        &fwriteSentences,
	"truncate":      &truncateSentences,
	"fallocate":     &fallocateSentences,
	"cat":           &catSentences,
	"rm":            {why: explainRemove},
	"snapshot":      &snapshotSentences,
	"use":           &useSentences,
	"restart":       &restartSentences,

	"mbind":            &mbindSentences,
	"move_pages":       &movePagesSentences,
	"process_madvise":  &processMadviseSentences,
	"remap_file_pages": &remapFilePagesSentences,
	"uffd_register":    &uffdRegisterSentences,
	"uffd_unregister":  &uffdUnregisterSentences,
	"uffd_copy":        &uffdCopySentences,
	"uffd_zeropage":    &uffdZeropageSentences,
	"uffd_continue":    &uffdContinueSentences,
	"uffd_move":        &uffdMoveSentences,
	"uffd_poison":      &uffdPoisonSentences,
	"uffd_wp":          &uffdWPSentences,
	"uffd_unwp":        &uffdUnwpSentences,
}
