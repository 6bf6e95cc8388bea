// SPDX-License-Identifier: GPL-2.0-or-later

import Testing

@testable import martlet

/// Options without the parser, which takes a tenth of a second in a debug build.
enum OptionSetters {
  private static let lists: [(String, @Sendable (inout Martlet, String) -> Void)] = [
    ("boot", { $0.boot.boot.append($1) }), ("L", { $0.boot.directories.append($1) }),
    ("smbios", { $0.boot.smbios.append($1) }), ("fw_cfg", { $0.boot.firmwareFiles.append($1) }),
    ("serial", { $0.characters.serial.append($1) }), ("parallel", { $0.characters.parallel.append($1) }),
    ("debugcon", { $0.characters.debugcon.append($1) }), ("chardev", { $0.characters.chardev.append($1) }),
    ("drive", { $0.drives.drive.append($1) }), ("blockdev", { $0.drives.blockdev.append($1) }),
    ("netdev", { $0.network.netdev.append($1) }), ("m", { $0.machine.m.append($1) }),
    ("object", { $0.machine.object.append($1) }),
    ("smp", { $0.machine.smp.append($1) }),
    ("accel", { $0.machine.accel.append($1) }), ("machine", { $0.machine.machine.append($1) }),
    ("overcommit", { $0.machine.overcommit.append($1) }), ("name", { $0.machine.name.append($1) }),
    ("rtc", { $0.machine.rtc.append($1) }), ("device", { $0.machine.device.append($1) }),
    ("global", { $0.machine.global.append($1) }), ("net", { $0.network.net.append($1) }),
    ("nic", { $0.network.nic.append($1) }), ("audiodev", { $0.machine.audioDevices.append($1) }),
    ("qmp", { $0.monitors.qmp.append($1) }), ("qmp-pretty", { $0.monitors.qmpPretty.append($1) }),
    ("monitor", { $0.monitors.monitor.append($1) }), ("mon", { $0.monitors.mon.append($1) }),
    ("add-fd", { $0.process.addDescriptors.append($1) }), ("msg", { $0.process.messages.append($1) }),
    ("action", { $0.running.actions.append($1) }), ("usbdevice", { $0.usb.usbDevices.append($1) }),
    ("trace", { $0.running.trace.append($1) }),
  ]
  private static let texts: [(String, @Sendable (inout Martlet, String) -> Void)] = [
    ("bios", { $0.boot.bios = $1 }), ("kernel", { $0.boot.kernel = $1 }), ("initrd", { $0.boot.initrd = $1 }),
    ("append", { $0.boot.append = $1 }), ("vga", { $0.display.vga = $1 }), ("vnc", { $0.display.vnc = $1 }),
    ("display", { $0.display.display = $1 }), ("k", { $0.display.keyboardLayout = $1 }),
    ("hda", { $0.drives.hda = $1 }), ("hdb", { $0.drives.hdb = $1 }), ("hdc", { $0.drives.hdc = $1 }),
    ("hdd", { $0.drives.hdd = $1 }), ("cdrom", { $0.drives.cdrom = $1 }), ("cpu", { $0.machine.cpu = $1 }),
    ("mem-path", { $0.machine.memPath = $1 }), ("uuid", { $0.machine.uuid = $1 }),
    ("icount", { $0.machine.icount = $1 }), ("pidfile", { $0.process.pidFile = $1 }),
    ("runas", { $0.process.runAs = $1 }), ("chroot", { $0.process.chroot = $1 }),
    ("sandbox", { $0.process.sandbox = $1 }), ("d", { $0.running.debugItems = $1 }),
    ("D", { $0.running.logFile = $1 }), ("qtest", { $0.tests.qtest = $1 }),
    ("qtest-log", { $0.tests.qtestLog = $1 }),
  ]
  private static let flags: [(String, @Sendable (inout Martlet, String) -> Void)] = [
    ("no-fd-bootchk", { options, _ in options.boot.noFloppyCheck = true }),
    ("nographic", { options, _ in options.display.noGraphic = true }),
    ("snapshot", { options, _ in options.drives.snapshot = true }),
    ("enable-kvm", { options, _ in options.machine.enableKVM = true }),
    ("mem-prealloc", { options, _ in options.machine.memPrealloc = true }),
    ("mem-shared", { options, _ in options.machine.memShared = true }),
    ("no-acpi", { options, _ in options.machine.noACPI = true }),
    ("no-hpet", { options, _ in options.machine.noHPET = true }),
    ("nodefaults", { options, _ in options.machine.noDefaults = true }),
    ("no-user-config", { options, _ in options.machine.noUserConfig = true }),
    ("daemonize", { options, _ in options.process.daemonize = true }),
    ("S", { options, _ in options.running.startPaused = true }),
    ("usb", { options, _ in options.usb.usb = true }),
    ("no-reboot", { options, _ in options.running.noReboot = true }),
    ("no-shutdown", { options, _ in options.running.noShutdown = true }),
  ]

  /// The options as the parser would give them; nil for one that is not in the tables.
  static func parse(_ given: [OptionTable.Given], from empty: Martlet) -> Martlet? {
    var options = empty
    for option in given {
      guard let (_, set) = (lists + texts + flags).first(where: { $0.0 == option.name }) else {
        Issue.record("\(option.name) is in no table")
        return nil
      }
      set(&options, option.value ?? "")
    }
    return options
  }
}
