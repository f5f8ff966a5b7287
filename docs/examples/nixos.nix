# NixOS: netready as a package, its units, and a gate that nginx waits for. Import it in configuration.nix:
#   imports = [ ./nixos.nix ];
{ pkgs, ... }:

let
  netready = pkgs.rustPlatform.buildRustPackage {
    pname = "netready";
    version = "0.1.0";
    # The sources that `make dist` made, unpacked beside this file.
    src = ./netready-0.1.0;
    cargoLock.lockFile = ./netready-0.1.0/Cargo.lock;
    # The tests need a checkout, and namespaces.
    doCheck = false;
    # All programs are dynamic here, and in one folder: netready finds the others beside it.
    postInstall = ''
      install -Dm644 -t $out/lib/systemd/system systemd/system/*.service
      substituteInPlace $out/lib/systemd/system/*.service --replace-fail /usr/bin/netready $out/bin/netready
    '';
  };
in
{
  environment.systemPackages = [ netready ];

  environment.etc."netready/web.toml".text = ''
    [[require]]
    address = "10.9.0.2"
  '';

  # Brings netready.service and netready@.service.
  systemd.packages = [ netready ];

  systemd.services.nginx = {
    wants = [ "netready@web.service" ];
    after = [ "netready@web.service" ];
  };
}
