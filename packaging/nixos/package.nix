# The program, its units and documents. Not tested on NixOS.
{ lib, stdenv, pkg-config, libmicrohttpd, gnutls, libxcrypt, zlib, systemd, libpq, jansson, curl, libfyaml }:

stdenv.mkDerivation {
  pname = "pgbackup_exporter";
  version = lib.fileContents ../../VERSION;
  src = lib.cleanSource ../..;
  nativeBuildInputs = [ pkg-config ];
  buildInputs = [ libmicrohttpd gnutls libxcrypt zlib systemd libpq jansson curl libfyaml ];
  makeFlags = [ "PREFIX=${placeholder "out"}" ];
  enableParallelBuilding = true;
  postPatch = "patchShebangs packaging";
  meta = {
    description = "Watches PostgreSQL backed up with pgBackRest, and says whether it could be restored";
    license = lib.licenses.mit;
    mainProgram = "pgbackup_exporter";
    platforms = lib.platforms.linux;
  };
}
