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
#include "bridge.h"

#ifdef _WIN32
/* There are no such signals: the runtime learns of faults as one of several handlers of
 * exceptions, and passes on what is not its own. */
void sdsGiveSignalsBack(void) {}
#else
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static const int taken[] = {SIGURG, SIGPIPE};
static struct sigaction host[sizeof taken / sizeof taken[0]];
static sigset_t hostMask;
static atomic_int givenBack;

/* The runtime's threads begin in its constructor and pass on the signal mask that
 * they find: everything is blocked meanwhile. Else a signal that the host has
 * blocked in order to wait for it could come to a thread of the library instead,
 * and end the process. */
__attribute__((constructor(101))) static void saveSignals(void)
{
	sigset_t all;
	size_t i;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &hostMask);
	for (i = 0; i < sizeof taken / sizeof taken[0]; i++)
		sigaction(taken[i], NULL, &host[i]);
}

/* Puts back only what is the runtime's, which has one handler for everything:
 * the host may have set its own since. That comes back with SA_ONSTACK, the flag
 * that the runtime adds to every handler that it finds and leaves: the signal may
 * arrive while its thread is inside the library, on a stack that is too small for
 * a handler.
 *
 * That is done once. Where the host is a Go program, its runtime starts after the
 * constructors and beside ours, and has one handler for everything, too. */
void sdsGiveSignalsBack(void)
{
	struct sigaction runtime, now;
	size_t i;

	if (atomic_load(&givenBack))
		return;
	sigaction(SIGSEGV, NULL, &runtime);
	for (i = 0; i < sizeof taken / sizeof taken[0]; i++) {
		sigaction(taken[i], NULL, &now);
		if (now.sa_handler != runtime.sa_handler || now.sa_handler == host[i].sa_handler)
			continue;
		if (host[i].sa_handler != SIG_DFL && host[i].sa_handler != SIG_IGN)
			host[i].sa_flags |= SA_ONSTACK;
		sigaction(taken[i], &host[i], NULL);
		atomic_store(&givenBack, 1);
	}
}

__attribute__((constructor)) static void afterLoading(void)
{
	sdsGiveSignalsBack();
	pthread_sigmask(SIG_SETMASK, &hostMask, NULL);
}
#endif
