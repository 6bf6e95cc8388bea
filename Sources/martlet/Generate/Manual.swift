// SPDX-License-Identifier: GPL-2.0-or-later

import Machine

/// The page of the manual, made from the declarations of the options: man(7).
enum Manual {
  /// A text as troff takes it.
  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "\\": result += "\\e"
      case "-": result += "\\-"
      case "'": result += "\\(aq"
      case "^": result += "\\(ha"
      case "~": result += "\\(ti"
      case "…": result += "..."
      default: result.append(character)
      }
    }
    // A dot or quote at its start would make a line a request.
    return result.hasPrefix(".") ? "\\&" + result : result
  }

  private static func paragraph(_ text: String) -> String { ".PP\n\(escaped(text))\n" }

  private static func item(_ label: String, _ text: String) -> String {
    ".TP\n\(label)\n\(escaped(text))\n"
  }

  static var text: String {
    var text = """
      .\\" SPDX-License-Identifier: GPL-2.0-or-later
      .\\" Made by 'martlet --generate man'.
      .TH MARTLET 1 "" "Martlet \(MachineConfiguration.version)" "User Commands"
      .SH NAME
      martlet \\- run a PC guest and show its screen in a VNC viewer or browser
      .SH SYNOPSIS
      .B martlet
      .RI [ options ]
      .RI [ disk.img ]
      .SH DESCRIPTION

      """
    text +=
      escaped(
        "martlet emulates a PC (Intel 440FX, PIIX3) and runs one guest in it, with KVM or with an engine of its own. "
          + "Its options are QEMU's, with the same syntax and meaning, with one dash or two; what is not supported is "
          + "refused with the nearest thing that is. In a value with properties, two commas are one.") + "\n"
    text += paragraph(
      "Without an option about it, the screen is on the first free display of this host, 127.0.0.1:5900.")
    text += ".SH OPTIONS\n"
    var topic = ""
    for option in OptionTable.declarations {
      if option.topic != topic {
        topic = option.topic
        text += ".SS \(escaped(topic))\n"
      }
      let names = option.spellings.map { "\\fB\(escaped($0))\\fR" }.joined(separator: ", ")
      let value = option.valueName.map { " \\fI\(escaped($0))\\fR" } ?? ""
      text += item(names + value, option.about)
    }
    text += ".SH CONFIGURATION FILES\n"
    text +=
      escaped(
        "-readconfig takes options from a file, in QEMU's form: sections like [drive \"disk0\"] with lines like "
          + "file = \"disk.img\". Options without properties stand in the section [martlet], by their names: "
          + "nodefaults = \"on\". In a value, two quotation marks are one. -writeconfig writes such a file; with "
          + "--print-config nothing is started. The monitor's 'info config' shows that of a running machine.")
      + "\n"
    text += ".SH EXIT STATUS\n"
    text += item(
      "0",
      "A clean end: the guest switched off, a monitor or a viewer's key said so, or SIGTERM, SIGINT or SIGHUP came."
    )
    text += item(
      "1", "The request could not be met, or the guest cannot go on. The reason is on standard error.")
    text += item("2", "Wrong usage.")
    text += paragraph(
      "A guest with the device isa-debug-exit ends it with a status of its own, an odd number.")
    text += ".SH SIGNALS\n"
    text += item(
      "SIGTERM, SIGINT, SIGHUP",
      "End the machine at once, like a power cut; what the guest has flushed is on the disk. "
        + "Sockets, the process file and temporary files are removed.")
    text += item("SIGCONT", "Lets a paused machine go on.")
    text += ".SH ENVIRONMENT\n"
    text += item("NOTIFY_SOCKET", "Where systemd is told that everything listens.")
    text += item(
      "LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES",
      "Sockets passed by systemd: -qmp fd:NAME,server=on,wait=off, "
        + "-chardev socket,fd=NAME, -vnc fd:NAME.")
    text += item("TMPDIR", "Where -snapshot keeps what is written (/var/tmp).")
    text += ".SH FILES\n"
    text += item("/etc/martlet/NAME.conf", "The guest that 'systemctl start martlet@NAME' starts.")
    text += ".SH EXAMPLES\n"
    for (command, about) in [
      ("martlet disk.img", "boots a disk image."),
      ("martlet -cdrom install.iso -hda disk.img -m 2G -smp 2 -boot once=d", "installs a system from a CD."),
      (
        "martlet -kernel vmlinuz -initrd initrd.img -append console=ttyS0 -nographic",
        "starts a Linux kernel in the terminal."
      ),
      ("martlet disk.img -m 1G -writeconfig vm.conf --print-config", "writes a file for martlet@.service."),
    ] {
      text += item("\\fB\(escaped(command))\\fR", about)
    }
    return text + ".SH SEE ALSO\n.BR qemu\\-system\\-x86_64 (1),\n.BR systemd.service (5)\n"
  }
}
