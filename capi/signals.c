/* signals.c - gives back the signals that loading takes.
 *
 * A Go runtime that is a library installs handlers in a constructor, for SIGURG
 * and SIGPIPE among them. With SIGURG gone, a Go host hangs in its next garbage
 * collection, and with SIGPIPE gone, `kill -PIPE` and broken pipes do something
 * else than the host decided. The runtime does not miss SIGURG: asynchronous
 * preemption is off in this library.
 *
 * Constructors run in this order: those with a priority, then plain ones in the
 * order of linking. So one with a priority saves what the host has, and a plain
 * one puts it back. In the shared library that one comes after the runtime's; in
 * a program that links the archive it may come before, and then Go's start, which
 * every first call waits for, does the same again. */
#include <signal.h>
#include <stddef.h>

#include "bridge.h"

static const int taken[] = {SIGURG, SIGPIPE};
static struct sigaction host[sizeof taken / sizeof taken[0]];

__attribute__((constructor(101))) static void saveSignals(void)
{
	size_t i;

	for (i = 0; i < sizeof taken / sizeof taken[0]; i++)
		sigaction(taken[i], NULL, &host[i]);
}

/* Puts back only what is the runtime's, which has one handler for everything:
 * the host may have set its own since. That comes back with SA_ONSTACK, the flag
 * that the runtime adds to every handler that it finds and leaves: the signal may
 * arrive while its thread is inside the library, on a stack that is too small for
 * a handler. */
void sdsGiveSignalsBack(void)
{
	struct sigaction runtime, now;
	size_t i;

	sigaction(SIGSEGV, NULL, &runtime);
	for (i = 0; i < sizeof taken / sizeof taken[0]; i++) {
		sigaction(taken[i], NULL, &now);
		if (now.sa_handler != runtime.sa_handler || now.sa_handler == host[i].sa_handler)
			continue;
		if (host[i].sa_handler != SIG_DFL && host[i].sa_handler != SIG_IGN)
			host[i].sa_flags |= SA_ONSTACK;
		sigaction(taken[i], &host[i], NULL);
	}
}

__attribute__((constructor)) static void afterLoading(void) { sdsGiveSignalsBack(); }
