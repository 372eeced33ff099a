/*
 * loaded.c - a host for Windows that takes libsds.dll by its name while it runs, and lets
 * go of it, as programs with plugins do. A fault of the host's own still comes to its
 * handler.
 */
#include <windows.h>

#include <libsds.h>

#include <stdio.h>
#include <string.h>

static volatile LONG handled;

static LONG WINAPI on_fault(EXCEPTION_POINTERS *fault)
{
    (void)fault;
    handled++;
    puts("the host's handler has the fault");
    fflush(stdout);
    ExitProcess(0);
    return EXCEPTION_CONTINUE_SEARCH;
}

typedef int (*Open)(const SdsOptions *, void **, char **);
typedef int (*Close)(void *);
typedef const char *(*Version)(void);

static FARPROC look_up(HMODULE library, const char *name)
{
    FARPROC found = GetProcAddress(library, name);

    if (found == NULL) {
        printf("%s is missing\n", name);
        ExitProcess(1);
    }
    return found;
}

int main(void)
{
    HMODULE library = LoadLibraryA("libsds.dll");
    Version version;
    Open open;
    Close close;
    FARPROC found;
    void *ctx;
    int *nowhere = NULL;

    if (library == NULL) {
        printf("LoadLibrary: error %lu\n", GetLastError());
        return 1;
    }
    found = look_up(library, "SdsVersion");
    memcpy(&version, &found, sizeof version);
    found = look_up(library, "SdsOpen");
    memcpy(&open, &found, sizeof open);
    found = look_up(library, "SdsClose");
    memcpy(&close, &found, sizeof close);
    if (strcmp(version(), SDS_VERSION) != 0 || open(NULL, &ctx, NULL) != SDS_OK || close(ctx) != SDS_OK)
        return 1;
    FreeLibrary(library);
    Sleep(200); /* its threads go on */
    SetUnhandledExceptionFilter(on_fault);
    *(volatile int *)nowhere = 1;
    return 1;
}
