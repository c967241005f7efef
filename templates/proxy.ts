const names = ["http_proxy", "https_proxy", "no_proxy"];

/** The proxies that this process was given, in either spelling; commands and builds that fetch things need them too. */
export function proxyVariables(environment: Record<string, string | undefined>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of [...names, ...names.map((lower) => lower.toUpperCase())]) {
    const value = environment[name];
    if (value) found[name] = value;
  }
  return found;
}
