/* Keys by system calls: what a container can do with its own session keyring, and with another's. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SESSION -3
#define JOIN 1
#define DESCRIBE 6
#define LINK 8
#define SEARCH 10
#define READ 11

static long keyctl(long a, long b, long c, long d, long e)
{
	return syscall(SYS_keyctl, a, b, c, d, e);
}

/* The canary, if this session has it. */
static int canary(const char *how)
{
	char text[64] = "";
	long key = keyctl(SEARCH, SESSION, (long)"user", (long)"canary", 0);
	if (key < 0 || keyctl(READ, key, (long)text, sizeof text - 1, 0) < 0)
		return 0;
	printf("canary by %s: %s\n", how, text);
	return 1;
}

static void by_name(const char *name)
{
	if (keyctl(JOIN, (long)name, 0, 0, 0) >= 0)
		canary(name);
}

static int known(unsigned id)
{
	static unsigned ids[4096];
	static int count;
	for (int i = 0; i < count; i++)
		if (ids[i] == id)
			return 1;
	if (count < 4096)
		ids[count++] = id;
	return 0;
}

/* Every keyring in /proc/keys: its name is printed, it is linked, and searched. */
static int look(int quiet)
{
	char line[512];
	int seen = 0;
	FILE *keys = fopen("/proc/keys", "r");
	while (keys && fgets(line, sizeof line, keys)) {
		unsigned id, perm;
		int uid, gid;
		char flags[16], usage[16], expiry[16], type[32], name[256];
		if (sscanf(line, "%x %15s %15s %15s %x %d %d %31s %255s", &id, flags, usage, expiry, &perm, &uid, &gid,
			   type, name) != 9 || strcmp(type, "keyring"))
			continue;
		name[strcspn(name, ":")] = 0;
		seen++;
		if (!quiet)
			printf("keyring %s %08x\n", name, perm);
		if (strncmp(name, "_ses.", 5))
			continue;
		/* Our own is there too, and is its own business. */
		long own = keyctl(0, SESSION, 0, 0, 0);
		if (own == (long)id)
			continue;
		if (quiet && known(id))
			continue;
		if (quiet)
			printf("seen %s\n", name);
		if (keyctl(LINK, id, SESSION, 0, 0) == 0)
			printf("linked %s\n", name);
		if (!quiet && canary("number") == 0 && keyctl(JOIN, (long)name, 0, 0, 0) >= 0)
			canary("name");
	}
	if (keys)
		fclose(keys);
	return seen;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, 0, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "hold")) {
		if (syscall(SYS_add_key, "user", "canary", "secret", 6, SESSION) < 0)
			perror("add_key");
		char text[512] = "";
		keyctl(DESCRIBE, SESSION, (long)text, sizeof text, 0);
		printf("%s\n", text);
		int made = open("/tmp/held", O_CREAT | O_WRONLY, 0644);
		close(made);
		pause();
	} else if (argc > 1 && !strcmp(argv[1], "own")) {
		char text[512] = "";
		keyctl(DESCRIBE, SESSION, (long)text, sizeof text, 0);
		printf("%s\n", text);
		return !canary("session");
	} else if (argc > 1 && !strcmp(argv[1], "hunt")) {
		look(0);
		for (int i = 2; i < argc; i++)
			by_name(argv[i]);
	} else if (argc > 1 && !strcmp(argv[1], "watch")) {
		/* Until /tmp/stop is there, or for ten seconds. */
		time_t end = time(0) + 10;
		long rounds = 0;
		while (access("/tmp/stop", F_OK) && time(0) < end) {
			look(1);
			if (++rounds == 1)
				close(open("/tmp/watching", O_CREAT | O_WRONLY, 0644));
		}
		printf("rounds %ld\n", rounds);
	}
	return 0;
}
