/** `make deb`: writes suture_VERSION_amd64.deb of this checkout to the directory that is named, or to this one. */
import { debianPackage } from "./debian-package.ts";

process.stdout.write(`${await debianPackage(process.argv[2] ?? ".")}\n`);
