/* The benchmark's clock, one static program in three roles, so that every runtime is measured from outside by the same
 * means. Writes lines `NAME WHAT NANOSECONDS` (CLOCK_MONOTONIC, which all containers of a box share) to a FIFO; a line
 * is shorter than PIPE_BUF, so that lines of several writers don't mix.
 *
 *   stamp once FIFO NAME           `first` with its first instruction, `last` with its last, and exits 0
 *   stamp stay FIFO NAME           `first`, then sleeps; SIGTERM: `term` from the handler, and exits 0
 *   stamp run FIFO NAME COMMAND... `exec` right before the command's execve, `end` when it has been reaped; its code
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int fifo;
static const char *name;

/* Called from a signal handler too: nothing but async-signal-safe calls (stdio is not). */
static void stamp(const char *what)
{
	struct timespec now;
	char line[256], digits[24];
	size_t length = 0, count = 0;
	unsigned long long rest;

	clock_gettime(CLOCK_MONOTONIC, &now);
	rest = now.tv_sec * 1000000000ULL + now.tv_nsec;
	do
		digits[count++] = '0' + rest % 10;
	while (rest /= 10);
	for (const char *parts[] = {name, " ", what, " "}, **part = parts; part < parts + 4; part++)
		for (const char *byte = *part; *byte && length < sizeof line - sizeof digits - 1; byte++)
			line[length++] = *byte;
	while (count)
		line[length++] = digits[--count];
	line[length++] = '\n';
	if (write(fifo, line, length) != (ssize_t)length)
		_exit(99);
}

static void on_term(int signal)
{
	(void)signal;
	stamp("term");
	_exit(0);
}

static void stay(void)
{
	struct sigaction action = {.sa_handler = on_term};

	sigaction(SIGTERM, &action, NULL);
	stamp("first");
	for (;;)
		pause();
}

static int run(char **command)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		stamp("exec");
		execvp(command[0], command);
		perror(command[0]);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 98;
	stamp("end");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int count, char **words)
{
	if (count < 4 || (fifo = open(words[2], O_WRONLY | O_CLOEXEC)) < 0) {
		perror("stamp: usage: stamp once|stay|run FIFO NAME [COMMAND...]");
		return 97;
	}
	name = words[3];
	if (!strcmp(words[1], "once")) {
		stamp("first");
		stamp("last");
		_exit(0);
	}
	if (!strcmp(words[1], "stay"))
		stay();
	if (!strcmp(words[1], "run") && count > 4)
		return run(words + 4);
	return 97;
}
