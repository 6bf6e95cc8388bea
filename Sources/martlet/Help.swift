// SPDX-License-Identifier: GPL-2.0-or-later

import ArgumentParser
import OptionSyntax

/// `-help` and `-help TOPIC`: an overview that fits a screen, and a screen per topic, made from the option
/// declarations.
enum Help {
  private struct Topic<Options: ParsableArguments>: ParsableCommand {
    @OptionGroup var options: Options
    static var configuration: CommandConfiguration { CommandConfiguration(commandName: "martlet") }
  }

  private static let topics: [(name: String, about: String, text: @Sendable () -> String)] = [
    (MachineOptions.topic, "processors, memory, devices, clock", { text(of: MachineOptions.self) }),
    (DriveOptions.topic, "disks and CDs", { text(of: DriveOptions.self) }),
    (USBOptions.topic, "USB controllers and devices", { text(of: USBOptions.self) }),
    (NetworkOptions.topic, "network cards and networks", { text(of: NetworkOptions.self) }),
    (BootOptions.topic, "boot order, firmware, kernels started directly", { text(of: BootOptions.self) }),
    (
      DisplayOptions.topic, "graphics card, VNC, browser console, keyboard", { text(of: DisplayOptions.self) }
    ),
    (CharacterOptions.topic, "serial and parallel ports, debug console", { text(of: CharacterOptions.self) }),
    (MonitorOptions.topic, "control from outside: QMP, human monitor", { text(of: MonitorOptions.self) }),
    (ProcessOptions.topic, "background, process file, user", { text(of: ProcessOptions.self) }),
    (TestOptions.topic, "driving the devices from outside: qtest", { text(of: TestOptions.self) }),
    (RunOptions.topic, "starting, ending, logging, tracing", { text(of: RunOptions.self) }),
  ]

  /// What `-help` can be asked about.
  static var topicNames: [String] { topics.map(\.name) }

  private static func text<Options: ParsableArguments>(of type: Options.Type) -> String {
    let message = Topic<Options>.helpMessage(columns: 100)
    guard let start = message.firstRange(of: "OPTIONS:") else { return message }
    return message[start.lowerBound...].split(separator: "\n", omittingEmptySubsequences: false).filter {
      !$0.contains("-h, --help")
    }.map { withoutDoubleDashes(String($0)) }.joined(separator: "\n")
  }

  /// "-hda, --hda <file>" as "-hda <file>": that two dashes also do is said once, in the overview.
  private static func withoutDoubleDashes(_ line: String) -> String {
    guard line.hasPrefix("  -") else { return line }
    let text = line.dropFirst(2)
    // The parser's help starts its second column here unless the first is too wide.
    let column = 24
    let isWide = text.count <= column || text.prefix(column).last != " "
    let label = isWide ? text : text.prefix(column)
    let about = isWide ? "" : text.dropFirst(column)
    let value = label.firstIndex(of: "<").map { " \(label[$0...])" } ?? ""
    let names = label.prefix { $0 != "<" }.split(whereSeparator: { $0 == "," || $0 == " " })
    let single = names.filter { !$0.hasPrefix("--") }
    let short = "  \((single.isEmpty ? names : single).joined(separator: ", "))\(value)"
    guard !about.isEmpty else { return short }
    return short + String(repeating: " ", count: max(2, 26 - short.count)) + about
  }

  /// The names of all options, with their dashes, for finding the one that was meant.
  static var optionNames: [String] {
    Martlet.helpMessage(columns: 200).split(separator: "\n").flatMap { line -> [String] in
      guard line.hasPrefix("  -") else { return [] }
      return line.split(whereSeparator: { $0 == " " || $0 == "," }).prefix { $0.hasPrefix("-") }.map(
        String.init)
    }
  }

  /// The text for `-help [topic]`.
  static func message(topic: String?) throws(OptionError) -> String {
    guard let topic else { return overview }
    if let known = topics.first(where: { $0.name == topic }) { return known.text() }
    let names = topics.map(\.name)
    throw OptionError(
      "-help: there is no topic '\(topic)'\(didYouMean(topic, in: names)); topics: \(names.joined(separator: ", "))"
    )
  }

  private static var overview: String {
    let list = topics.map {
      "  martlet -help \($0.name)\(String(repeating: " ", count: max(1, 10 - $0.name.count)))\($0.about)"
    }.joined(separator: "\n")
    return """
      martlet [options] [disk.img]: run a PC guest; see its screen in a VNC viewer or browser.

        martlet disk.img                      boot a disk image; a viewer on 127.0.0.1:5900 shows it
        martlet disk.img -vnc :1,websocket=on the same on display 1, and in a browser
        martlet -cdrom install.iso -hda disk.img -m 2G -smp 2 -boot once=d
        martlet -kernel vmlinuz -initrd initrd.img -append console=ttyS0 -nographic

      Used most (options are QEMU's, with one dash or two):
        -m SIZE           memory, in MiB or with a suffix (256)
        -smp N            virtual CPUs (1)
        -hda … -hdd FILE  disk images; -cdrom FILE; -drive file=FILE,… for all there is to say
        -boot ORDER       c disk, d CD: dc tries the CD first
        -nic user,hostfwd=tcp::2222-:22
                          the network; the guest's port 22 at the host's 2222; -nic none for none
        -vnc DISPLAY      where viewers connect (127.0.0.1:0)
        -serial PORT      stdio, file:PATH, pty, null, none
        -nographic        no screen, the serial port on the terminal
        -snapshot         leave the images as they are
        --print-config    show the machine and end

      More, by topic:
      \(list)

      """
  }
}
