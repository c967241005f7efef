/** Listens on the machine's, or the sandbox's, own loopback; 0 = a free port. */
export function startGuest(port: number): Promise<{ port: number; close(): void }>;
/** What all `/flood` sockets of this process have sent. */
export function floodedBytes(): number;
/** `connected`, or the code of what went wrong. */
export function reaches(host: string, port: number): Promise<string>;
