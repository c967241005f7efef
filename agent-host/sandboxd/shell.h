/* `sandboxd session`: a shell that runs one command after the other, and says how each ended. */
#ifndef SANDGATE_SHELL_H
#define SANDGATE_SHELL_H

/* Runs as a tenant, as the program of an exec. Returns the shell's own exit status. */
int shell_main(void);

#endif
