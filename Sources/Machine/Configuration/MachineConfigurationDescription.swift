// SPDX-License-Identifier: GPL-2.0-or-later

/// What `--print-config` shows: one line a fact, in the order a person would ask.
extension MachineConfiguration: CustomStringConvertible {
  /// The whole configuration as text, ending in a newline.
  public var description: String {
    var lines: [(String, String)] = []
    let engines = accelerators.isEmpty ? "auto" : accelerators.map(\.rawValue).joined(separator: ":")
    lines.append(("machine", "pc (i440FX, PIIX3), accelerator \(engines)"))
    if let clock = instructionClock {
      lines.append(("time", "\(1 << clock.shift) ns an instruction"))
    }
    if let name { lines.append(("name", name)) }
    if let uuid { lines.append(("uuid", uuid)) }
    lines.append(("memory", memoryText))
    lines.append(
      (
        "cpus",
        "\(topology.count) (\(topology.sockets) sockets × \(topology.cores) cores × \(topology.threads) threads), "
          + ([cpu.model] + cpu.added.map { "+\($0)" } + cpu.removed.map { "-\($0)" }).joined(separator: ",")
      ))
    for index in 0..<4 {
      let place = "ide \(index / 2) \(index & 1 == 0 ? "master" : "slave")"
      if let drive = drives.first(where: { $0.position?.index == index }) {
        lines.append((place, drive.text))
      } else {
        lines.append((place, "nothing"))
      }
    }
    lines.append(("boot", bootText))
    if let kernel = firmware.kernel {
      lines.append(("kernel", [kernel, firmware.commandLine].compactMap { $0 }.joined(separator: " ")))
      if let initrd = firmware.initrd { lines.append(("initrd", initrd)) }
    }
    lines.append(("bios", firmware.bios ?? "SeaBIOS"))
    lines.append(
      (
        "vga",
        vga.map { "std, \($0.memoryMegabytes) MiB, prefers \($0.preferredWidth)x\($0.preferredHeight)" }
          ?? "none"
      ))
    lines += network.lines
    lines += usb.lines
    lines.append(("vnc", vnc ?? "none"))
    for (index, port) in serials.enumerated() { lines.append(("com\(index + 1)", port ?? "none")) }
    lines.append(("lpt1", parallel ?? "none"))
    for console in debugConsoles {
      lines.append(("debugcon", "port 0x\(String(console.ioBase, radix: 16)), \(console.port)"))
    }
    for exit in debugExits {
      lines.append(("debug-exit", "port 0x\(String(exit.ioBase, radix: 16)), \(exit.ioSize) bytes"))
    }
    if let panic = panicDevice { lines.append(("pvpanic", "port 0x\(String(panic.ioBase, radix: 16))")) }
    for monitor in monitors {
      lines.append((monitor.mode == .control ? "qmp" : "monitor", monitor.port))
    }
    lines.append(("rtc", rtcText))
    let width = (lines.map(\.0.count).max() ?? 0) + 2
    return lines.map { $0.0 + String(repeating: " ", count: width - $0.0.count) + $0.1 + "\n" }.joined()
  }

  private var memoryText: String {
    var parts = ["\(memoryByteCount >> 20) MiB"]
    if memoryBacking.isShared { parts.append("shared") }
    if memoryBacking.usesHugePages { parts.append("huge pages") }
    if memoryBacking.isPreallocated { parts.append("preallocated") }
    return parts.joined(separator: ", ")
  }

  private var bootText: String {
    var parts = ["order \(boot.order)"]
    if let once = boot.once { parts.append("once \(once)") }
    if boot.showsMenu { parts.append("menu") }
    if boot.isStrict { parts.append("strict") }
    return parts.joined(separator: ", ")
  }

  private var rtcText: String {
    let base =
      switch rtc.base {
      case .utc: "utc"
      case .localTime: "local time"
      case .date(let seconds): "\(seconds) s after 1970"
      }
    return "\(base), follows \(rtc.followsGuestTime ? "guest time" : "the host")"
  }
}

extension DriveConfiguration {
  fileprivate var text: String {
    var parts = ["\(media.rawValue) \(file ?? "(no disc)")"]
    if media == .disk { parts.append("cache=\(image.cache.rawValue)") }
    if image.isReadOnly { parts.append("read-only") }
    if isSnapshot { parts.append("snapshot") }
    if let serial { parts.append("serial=\(serial)") }
    return parts.joined(separator: ", ")
  }
}
