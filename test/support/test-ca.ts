/** A certificate authority for one test run, and certificates by it for `localhost`. */
import { webcrypto } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type * as X509 from "@peculiar/x509";

export interface Certificates {
  /** PEM files. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

const dayMs = 24 * 60 * 60 * 1000;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** Writes a fresh CA and a certificate for `localhost` and 127.0.0.1, valid for a day, into the folder. */
export async function writeCertificates(directory: string): Promise<Certificates> {
  const x509 = await loadX509();
  x509.cryptoProvider.set(webcrypto);
  const validity = { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + dayMs) };
  const caKeys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    serialNumber: "01",
    name: "CN=Crewroom test CA",
    keys: caKeys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity,
    serialNumber: "02",
    subject: "CN=localhost",
    issuer: ca.subject,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: "dns", value: "localhost" },
        { type: "ip", value: "127.0.0.1" },
      ]),
    ],
  });
  await mkdir(directory, { recursive: true });
  const files = { ca: "ca.pem", certificate: "localhost.pem", key: "localhost.key" };
  const file = (name: string): string => path.join(directory, name);
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  await writeFile(file(files.ca), ca.toString("pem"));
  await writeFile(file(files.certificate), certificate.toString("pem"));
  await writeFile(file(files.key), x509.PemConverter.encode(pkcs8, "PRIVATE KEY"), { mode: 0o600 });
  return { ca: file(files.ca), certificate: file(files.certificate), key: file(files.key) };
}

/**
 * `tsyringe`, which @peculiar/x509 is built with, refuses to load without the decorator metadata of `reflect-metadata`. The
 * compiled packages carry no such metadata, so an empty store serves them.
 */
function loadX509(): Promise<typeof X509> {
  const none = (): undefined => undefined;
  Object.assign(Reflect, { getMetadata: none, getOwnMetadata: none, defineMetadata: none });
  return import("@peculiar/x509");
}
