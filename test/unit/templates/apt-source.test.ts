import { expect, test } from "vitest";
import { aptSourceLine, parseAptSources } from "#templates/apt-source";
import { releaseCodename } from "#templates/bootstrap";

// As `apt-get indextargets` prints them with our format; host names replaced.
const debian = `Packages|Debian|bookworm-security|oldstable-security|bookworm-security|main|amd64|http://security.example/debian-security/|$(SIGNED_BY)
Packages|Debian|bookworm|oldstable|bookworm|main|amd64|http://archive.example/debian/|$(SIGNED_BY)
Packages|Debian|bookworm|oldstable|bookworm|contrib|amd64|http://archive.example/debian/|$(SIGNED_BY)
Packages|Debian|bookworm|oldstable|bookworm|main|i386|http://archive.example/debian/|$(SIGNED_BY)
Packages|Debian|bookworm-updates|oldstable-updates|bookworm-updates|main|amd64|http://archive.example/debian/|$(SIGNED_BY)
Packages|Debian|bookworm-backports|oldstable-backports|bookworm-backports|main|amd64|http://archive.example/debian/|$(SIGNED_BY)
Packages|Debian|sid|unstable|sid|main|amd64|http://archive.example/debian/|$(SIGNED_BY)
Packages|. nodistro|nodistro|nodistro|nodistro|main|amd64|https://third.example/node/|/usr/share/keyrings/third.gpg
Translations|Debian|bookworm|oldstable|bookworm|main|amd64|http://archive.example/debian/|$(SIGNED_BY)
`;
const ubuntu = `Packages|Ubuntu|jammy|jammy|jammy|main|amd64|mirror+file:/etc/apt/mirrors.txt|/usr/share/keyrings/ubuntu-archive-keyring.gpg
Packages|Ubuntu|jammy|jammy|jammy|restricted|amd64|mirror+file:/etc/apt/mirrors.txt|/usr/share/keyrings/ubuntu-archive-keyring.gpg
Packages|Ubuntu|jammy|jammy|jammy|universe|amd64|mirror+file:/etc/apt/mirrors.txt|/usr/share/keyrings/ubuntu-archive-keyring.gpg
Packages|Ubuntu|jammy|jammy-updates|jammy-updates|main|amd64|mirror+file:/etc/apt/mirrors.txt|/usr/share/keyrings/ubuntu-archive-keyring.gpg
Packages|Ubuntu|jammy|jammy-security|jammy-security|main|amd64|http://security.example/ubuntu/|
Packages|Ubuntu|jammy|jammy-proposed|jammy-proposed|main|amd64|http://archive.example/ubuntu/|
Packages|UbuntuESM|jammy|jammy-infra-security|jammy-infra-security|main|amd64|https://esm.example/infra/ubuntu/|
Packages|LP-PPA-somebody|jammy|jammy|jammy|main|amd64|https://ppa.example/somebody/ubuntu/|
Packages|Docker|jammy|jammy|jammy|stable|amd64|https://third.example/linux/ubuntu/|/etc/apt/keyrings/third.asc
`;

test("Debian: the release comes first, then updates and security; nothing else is used", () => {
  const sources = parseAptSources(debian, { codename: "bookworm", architecture: "amd64" });
  expect(sources.map(aptSourceLine)).toEqual([
    "deb http://archive.example/debian/ bookworm main",
    "deb http://security.example/debian-security/ bookworm-security main",
    "deb http://archive.example/debian/ bookworm-updates main",
  ]);
});

test("Ubuntu: universe is used, third parties and proposed packages are not", () => {
  const sources = parseAptSources(ubuntu, { codename: "jammy", architecture: "amd64" });
  const key = "[signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg]";
  expect(sources.map(aptSourceLine)).toEqual([
    `deb ${key} mirror+file:/etc/apt/mirrors.txt jammy main universe`,
    `deb ${key} mirror+file:/etc/apt/mirrors.txt jammy-updates main`,
    "deb http://security.example/ubuntu/ jammy-security main",
  ]);
});

test("lists that were never fetched do not say whose they are, so there is no source", () => {
  const unread =
    "Packages|$(ORIGIN)|$(CODENAME)|$(SUITE)|bookworm|main|amd64|http://archive.example/debian/|\n";
  expect(parseAptSources(unread, { codename: "bookworm", architecture: "amd64" })).toEqual([]);
  expect(parseAptSources("", { codename: "bookworm", architecture: "amd64" })).toEqual([]);
});

test("the release of a distribution made from Ubuntu is Ubuntu's", () => {
  expect(releaseCodename('ID=debian\nVERSION_CODENAME=bookworm\nVERSION="12"\n')).toBe("bookworm");
  expect(releaseCodename("ID=linuxmint\nVERSION_CODENAME=wilma\nUBUNTU_CODENAME=noble\n")).toBe("noble");
  expect(releaseCodename("ID=debian\n")).toBe("");
});
