/* native.c - what the native C API costs from C, for tests/bench.
 *
 * Two contexts talk in one channel until both logs are full. Then rounds of calls are
 * timed, each with the SdsFree of its result. Then four threads do the same in a
 * channel each, beside one thread alone. One line per figure goes to stdout: its name
 * and the median of the rounds, in nanoseconds per call; how much of the library's heap a
 * byte of content takes; for several callers, how many calls they make in a second, and as
 * a multiple of one's who does the same work. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libsds.h"

enum { BATCH = 200, ROUNDS = 60, WARM_UP = 10, CONTENT = 1024, CALLERS = 4, SHARE = 200, RACES = 61 };

static char content[CONTENT];
static unsigned sequence;

struct payload {
	uint8_t *data;
	size_t size;
};

/* Where a transport would have received it: the same memory each time. */
struct received {
	uint8_t data[32 << 10];
	size_t size;
};

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void check(int status, const char *const *error)
{
	if (status == SDS_OK)
		return;
	fprintf(stderr, "bench: %s\n", *error != NULL ? *error : SdsStatusString(status));
	exit(1);
}

static void on_event(const SdsEvent *event, void *user)
{
	(void)event;
	(void)user;
}

static void *participant(const char *id)
{
	SdsOptions options;
	void *ctx;
	char *error;

	memset(&options, 0, sizeof options);
	options.size = sizeof options;
	options.participantId = id;
	/* One peer is all there is to witness an acknowledgement, and none to empty the
	 * buffer while callers race. */
	options.configJson = "{\"possibleAckThreshold\":1,\"maxOutgoingMessages\":1000000}";
	options.eventHandler = on_event;
	check(SdsOpen(&options, &ctx, &error), (const char *const *)&error);
	return ctx;
}

static struct payload wrap(void *ctx, const char *channel, const char *id)
{
	struct payload payload;
	char *error;

	check(SdsWrap(ctx, channel, id, content, sizeof content, &payload.data, &payload.size, &error), (const char *const *)&error);
	return payload;
}

static void unwrap(void *ctx, struct payload payload)
{
	SdsUnwrapped *result;
	char *error;

	check(SdsUnwrap(ctx, payload.data, payload.size, &result, &error), (const char *const *)&error);
	SdsFree(result);
}

static void receive(struct received *received, struct payload payload)
{
	if (payload.size > sizeof received->data) {
		fprintf(stderr, "bench: a message is larger than expected\n");
		exit(1);
	}
	memcpy(received->data, payload.data, payload.size);
	received->size = payload.size;
	SdsFree(payload.data);
}

static void unwrap_received(void *ctx, struct received *received)
{
	struct payload payload = {received->data, received->size};

	unwrap(ctx, payload);
}

static const char *next_id(char *id)
{
	snprintf(id, 65, "%064u", ++sequence);
	return id;
}

/* What speaker says, listener hears: both acknowledge what the other has. */
static void tell(void *speaker, void *listener)
{
	char id[65];
	struct payload payload = wrap(speaker, "channel", next_id(id));

	unwrap(listener, payload);
	SdsFree(payload.data);
}

static int ascending(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static void report(const char *name, double *rounds, size_t count)
{
	qsort(rounds, count, sizeof *rounds, ascending);
	printf("%s %.3f\n", name, rounds[count / 2]);
}

static void fill(void *speaker, void *listener)
{
	int i;

	for (i = 0; i < 1100; i++) {
		tell(speaker, listener);
		if (i % 50 == 0)
			tell(listener, speaker);
	}
}

static void time_wraps(void)
{
	static char ids[BATCH][65];
	const char *met[BATCH];
	double wraps[ROUNDS];
	void *alice = participant("alice"), *bob = participant("bob");
	int round, i;

	fill(alice, bob);
	for (round = -WARM_UP; round < ROUNDS; round++) {
		struct payload last = {NULL, 0};
		double began;
		char *error;

		for (i = 0; i < BATCH; i++)
			met[i] = next_id(ids[i]);
		began = now_ns();
		for (i = 0; i < BATCH; i++) {
			SdsFree(last.data);
			last = wrap(alice, "channel", ids[i]);
		}
		if (round >= 0)
			wraps[round] = (now_ns() - began) / BATCH;
		/* Bob catches up with all but the last by his word, and tells. */
		check(SdsMarkMet(bob, "channel", met, BATCH, &error), (const char *const *)&error);
		unwrap(bob, last);
		SdsFree(last.data);
		tell(bob, alice);
		tell(alice, bob);
	}
	report("native_wrap", wraps, ROUNDS);
	SdsClose(alice);
	SdsClose(bob);
}

static void time_unwraps(void)
{
	static struct received payloads[BATCH];
	double unwraps[ROUNDS];
	void *alice = participant("alice"), *bob = participant("bob");
	char id[65];
	int round, i;

	fill(alice, bob);
	for (round = -WARM_UP; round < ROUNDS; round++) {
		double began;

		for (i = 0; i < BATCH; i++)
			receive(&payloads[i], wrap(alice, "channel", next_id(id)));
		began = now_ns();
		for (i = 0; i < BATCH; i++)
			unwrap_received(bob, &payloads[i]);
		if (round >= 0)
			unwraps[round] = (now_ns() - began) / BATCH;
		tell(bob, alice);
		tell(alice, bob);
	}
	report("native_unwrap", unwraps, ROUNDS);
	SdsClose(alice);
	SdsClose(bob);
}

/* What the library has allocated from its own heap so far. */
static double allocated(void *ctx)
{
	static const char name[] = "\"sds_runtime_allocated_bytes_total\"", key[] = "\"value\":";
	char *json, *error;
	const char *at;
	double bytes;

	check(SdsStats(ctx, &json, &error), (const char *const *)&error);
	at = strstr(json, name);
	at = at == NULL ? NULL : strstr(at, key);
	if (at == NULL) {
		fprintf(stderr, "bench: SdsStats does not tell what was allocated\n");
		exit(1);
	}
	bytes = strtod(at + strlen(key), NULL);
	SdsFree(json);
	return bytes;
}

enum { SMALL = 1 << 10, LARGE = 1000 << 10, GROWN = 40 };

/* How much that is for a wrap of a content of some size and, in unwrapped, for the unwrap of
 * what it gave. */
static double allocated_for(size_t size, double *unwrapped)
{
	void *alice = participant("alice"), *bob = participant("bob");
	char *large = calloc(1, size), *error, id[65];
	struct payload payloads[GROWN];
	double began = 0, done, all;
	int i;

	if (large == NULL)
		exit(1);
	for (i = -5; i < GROWN; i++) { /* the first ones also warm up */
		struct payload payload;

		if (i == 0)
			began = allocated(alice);
		check(SdsWrap(alice, "channel", next_id(id), large, size, &payload.data, &payload.size, &error),
		      (const char *const *)&error);
		if (i < 0) {
			unwrap(bob, payload);
			SdsFree(payload.data);
		} else {
			payloads[i] = payload;
		}
	}
	done = allocated(alice);
	for (i = 0; i < GROWN; i++) {
		unwrap(bob, payloads[i]);
		SdsFree(payloads[i].data);
	}
	all = allocated(alice);
	free(large);
	SdsClose(alice);
	SdsClose(bob);
	*unwrapped = (all - done) / GROWN;
	return (done - began) / GROWN;
}

/* Bytes of the library's heap for a byte of content. */
static void count_growth(void)
{
	double small, large, small_unwrap, large_unwrap;

	small = allocated_for(SMALL, &small_unwrap);
	large = allocated_for(LARGE, &large_unwrap);
	printf("native_wrap_growth %.3f\n", (large - small) / (LARGE - SMALL));
	printf("native_unwrap_growth %.3f\n", (large_unwrap - small_unwrap) / (LARGE - SMALL));
}

/* One caller of several, or one that does the work of all. */
struct caller {
	pthread_t thread;
	pthread_barrier_t *start;
	struct caller *others; /* whose work it does, too */
	void *ctx;
	char channel[16];
	unsigned sequence;
	struct received payloads[SHARE];
	int unwraps;
};

static void work(struct caller *caller)
{
	int i;

	for (i = 0; i < SHARE; i++) {
		char id[65];

		if (caller->unwraps) {
			unwrap_received(caller->ctx, &caller->payloads[i]);
			continue;
		}
		snprintf(id, sizeof id, "%-32s%032u", caller->channel, ++caller->sequence);
		SdsFree(wrap(caller->ctx, caller->channel, id).data);
	}
}

static void *begin(void *argument)
{
	struct caller *caller = argument;
	int i;

	pthread_barrier_wait(caller->start);
	work(caller);
	if (caller->others != NULL)
		for (i = 1; i < CALLERS; i++)
			work(&caller->others[i]);
	pthread_barrier_wait(caller->start);
	return NULL;
}

/* How long it takes `callers` of them to do the work of all. */
static double race(struct caller *all, int callers)
{
	pthread_barrier_t start;
	double began, took;
	int i;

	pthread_barrier_init(&start, NULL, (unsigned)callers + 1);
	for (i = 0; i < callers; i++) {
		all[i].start = &start;
		all[i].others = callers == 1 ? all : NULL;
		pthread_create(&all[i].thread, NULL, begin, &all[i]);
	}
	pthread_barrier_wait(&start);
	began = now_ns();
	pthread_barrier_wait(&start);
	took = now_ns() - began;
	for (i = 0; i < callers; i++)
		pthread_join(all[i].thread, NULL);
	pthread_barrier_destroy(&start);
	return took;
}

static void prepare(struct caller *all, void *sender)
{
	int i, n;

	for (i = 0; i < CALLERS; i++)
		for (n = 0; n < SHARE; n++) {
			char id[65];

			receive(&all[i].payloads[n], wrap(sender, all[i].channel, next_id(id)));
		}
}

static void time_callers(int unwraps, const char *name, const char *rate)
{
	static struct caller all[CALLERS];
	double ratios[RACES], rates[RACES];
	void *ctx = participant("bob"), *sender = participant("alice");
	int round, i;

	for (i = 0; i < CALLERS; i++) {
		all[i].ctx = ctx;
		all[i].unwraps = unwraps;
		snprintf(all[i].channel, sizeof all[i].channel, "channel-%d", i);
	}
	for (round = -3; round < RACES; round++) {
		double one, four;

		prepare(all, sender);
		if (round % 2 == 0) { /* the one who goes first is not always the same */
			one = race(all, 1);
			prepare(all, sender);
			four = race(all, CALLERS);
		} else {
			four = race(all, CALLERS);
			prepare(all, sender);
			one = race(all, 1);
		}
		if (round >= 0) {
			ratios[round] = one / four;
			rates[round] = CALLERS * SHARE * 1e9 / four;
		}
	}
	report(name, ratios, RACES);
	report(rate, rates, RACES);
	SdsClose(sender);
	SdsClose(ctx);
}

/* With the argument "wraps", nothing else is timed. */
int main(int argc, char **argv)
{
	int i;

	for (i = 0; i < CONTENT; i++)
		content[i] = (char)i;
	time_wraps();
	if (argc > 1 && strcmp(argv[1], "wraps") == 0)
		return 0;
	time_unwraps();
	count_growth();
	time_callers(0, "native_callers_wrap", "native_callers_wrap_rate");
	time_callers(1, "native_callers_unwrap", "native_callers_unwrap_rate");
	return 0;
}
