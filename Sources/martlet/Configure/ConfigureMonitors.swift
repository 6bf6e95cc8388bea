// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import OptionSyntax

extension ConfigurationBuilder {
  /// `-qmp -qmp-pretty -monitor -mon`.
  mutating func configureMonitors() throws(OptionError) {
    let given = options.monitors
    for text in given.qmp { try addMonitor(.control, text, option: "-qmp") }
    for text in given.qmpPretty { try addMonitor(.control, text, option: "-qmp-pretty", isPretty: true) }
    for text in given.monitor { try addMonitor(.readline, text, option: "-monitor") }
    for text in given.mon {
      var list = try PropertyList(text, option: "-mon", implied: "chardev")
      guard let id = list.take("chardev") else { throw OptionError("-mon: chardev= is missing") }
      // Nothing names a monitor.
      _ = list.take("id")
      let mode = try list.takeChoice("mode", of: MonitorConfiguration.Mode.self) ?? .readline
      let isPretty = try list.takeFlag("pretty") ?? false
      guard mode == .control || !isPretty else {
        throw OptionError("-mon: pretty=on is for mode=control; the human monitor has no other way")
      }
      try list.finish()
      try addMonitor(mode, "chardev:\(id)", option: "-mon", isPretty: isPretty)
    }
  }

  private mutating func addMonitor(
    _ mode: MonitorConfiguration.Mode, _ text: String, option: String, isPretty: Bool = false
  ) throws(OptionError) {
    guard text != "none" else { return }
    var monitor = MonitorConfiguration(
      mode: mode, port: try port(text, option: option), label: "compat_monitor\(configuration.monitors.count)"
    )
    monitor.isPretty = isPretty
    configuration.monitors.append(monitor)
  }
}
