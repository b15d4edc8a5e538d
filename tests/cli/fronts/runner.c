/* Runs a command and waits for it: `runner swallow|forward|die COMMAND...` says what becomes of a signal. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child;

static void swallow(int number) { (void)number; }
static void forward(int number) { kill(child, number); }

int main(int count, char **words) {
    int numbers[] = {SIGINT, SIGTERM}, status = 0;
    struct sigaction action;
    if (count < 3 || (child = fork()) < 0)
        return 2;
    if (!child) {
        execvp(words[2], words + 2);
        _exit(127);
    }
    memset(&action, 0, sizeof action);
    action.sa_handler = strcmp(words[1], "swallow") == 0 ? swallow : forward;
    if (strcmp(words[1], "die") != 0)
        for (int which = 0; which < 2; which++)
            sigaction(numbers[which], &action, NULL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
