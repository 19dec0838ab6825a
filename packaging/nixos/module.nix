# NixOS: the exporter, and backups by the units of the package. Not tested on NixOS.
{ config, lib, pkgs, ... }:

let
  cfg = config.services.pgbackup-exporter;
  inherit (lib) mkEnableOption mkIf mkOption types;

  commands = [ "stanza-create" "baseline" "full" "incr" "expire" "complete-wal" "drill" ];
  services = [ "pgbackup_exporter" ] ++ map (command: "pgbackup-${command}@") commands;

  # Of each unit only what differs here; the package has the rest.
  differences = {
    overrideStrategy = "asDropin";
    serviceConfig.LoadCredential = mkIf (cfg.credentialsFile != null) "pgbackup.env:${cfg.credentialsFile}";
  };
in
{
  options.services.pgbackup-exporter = {
    enable = mkEnableOption "pgbackup_exporter, which watches pgBackRest's repositories";

    package = mkOption {
      type = types.package;
      default = pkgs.callPackage ./package.nix { };
      description = "The package whose program and units are used.";
    };

    settings = mkOption {
      type = (pkgs.formats.yaml { }).type;
      default = { };
      description = "What stands in pgbackup_exporter.yml. No secret: the file is readable for all.";
    };

    backUp = mkOption {
      type = types.listOf types.ints.positive;
      default = [ ];
      example = [ 1 2 ];
      description = "The keys of the repositories to back up into, by pgbackup@KEY.target.";
    };

    credentialsFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "KEY=VALUE lines, handed to the services as $CREDENTIALS_DIRECTORY/pgbackup.env.";
    };
  };

  config = mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    environment.etc."pgbackup_exporter.yml".source =
      (pkgs.formats.yaml { }).generate "pgbackup_exporter.yml"
        (lib.recursiveUpdate { pgbackrest.command = "${pkgs.pgbackrest}/bin/pgbackrest"; } cfg.settings);

    systemd.packages = [ cfg.package ];
    systemd.services = lib.genAttrs services (name: lib.mkMerge [
      differences
      (mkIf (name == "pgbackup_exporter") {
        wantedBy = [ "multi-user.target" ];
        serviceConfig.ExecReload = [ "" "${pkgs.coreutils}/bin/kill -HUP $MAINPID" ];
      })
    ]);
    systemd.targets.multi-user.wants = map (key: "pgbackup@${toString key}.target") cfg.backUp;
  };
}
