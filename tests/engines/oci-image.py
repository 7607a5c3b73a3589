#!/usr/bin/env python3
"""oci-image.py ROOTFS_TAR OUT_TAR NAME [COMMAND…]: packs one root file system as an OCI image archive, with nothing fetched."""
import gzip, hashlib, io, json, platform, sys, tarfile

source, target, name, *command = sys.argv[1:]
architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
archive = tarfile.open(target, "w")


def add(path, data):
    entry = tarfile.TarInfo(path)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def blob(kind, data):
    digest = hashlib.sha256(data).hexdigest()
    add("blobs/sha256/" + digest, data)
    return {"mediaType": "application/vnd.oci.image." + kind, "digest": "sha256:" + digest, "size": len(data)}


plain = open(source, "rb").read()
layer = blob("layer.v1.tar+gzip", gzip.compress(plain, 1, mtime=0))
config = blob("config.v1+json", json.dumps({
    "architecture": architecture, "os": "linux",
    "config": {"Cmd": command or ["/bin/sh"], "Env": ["PATH=/bin:/sbin:/usr/bin"]},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]},
}).encode())
manifest = blob("manifest.v1+json", json.dumps({
    "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [layer],
}).encode())
manifest["annotations"] = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.split(":")[-1]}
add("index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode())
add("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
archive.close()
