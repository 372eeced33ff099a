/* load.c - what loading the library takes, for tests/bench: time, and memory
 * that stays. One line per figure: its name, and nanoseconds or bytes. */
#include <dlfcn.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static long resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long size = 0, pages = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%ld %ld", &size, &pages) != 2)
		pages = 0;
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv)
{
	struct timespec began, done;
	long before = resident();

	if (argc != 2)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &began);
	if (dlopen(argv[1], RTLD_NOW) == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &done);
	usleep(100000); /* the runtime starts on threads of its own */
	printf("load %.0f\n", (double)(done.tv_sec - began.tv_sec) * 1e9 + (double)(done.tv_nsec - began.tv_nsec));
	printf("resident %ld\n", resident() - before);
	return 0;
}
