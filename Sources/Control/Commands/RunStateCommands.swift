// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import Machine

extension QMPCommands {
  /// QEMU's run states. Those Martlet never has belong to migration and devices it does not have.
  private static let runStates = SchemaType.enumeration(RunState.allCases.map(\.rawValue))

  /// Starting, stopping and ending the machine.
  static let runState: [QMPCommand] = [
    QMPCommand(
      "query-status",
      returns: .members(
        .required("running", .boolean), .required("singlestep", .boolean), .required("status", runStates))
    ) { _, context in
      let state = context.machine.state
      return [
        "status": .string(state.rawValue), "singlestep": false, "running": .bool(state == .running),
      ]
    },
    .action("stop") { _, context in context.machine.stopRunning() },
    .action("cont") { (_, context) throws(QMPError) in
      do throws(MachineError) { try context.machine.continueRunning() } catch { throw QMPError(error) }
    },
    .action("quit") { _, context in context.machine.quit() },
    .action("system_reset") { _, context in context.machine.pressResetButton() },
    .action("system_powerdown") { _, context in context.machine.pressPowerButton() },
    .action("system_wakeup") { (_, _) throws(QMPError) in
      throw QMPError("Unable to wake up: guest is not in suspended state")
    },
    QMPCommand("query-current-machine", returns: .members(.required("wakeup-suspend-support", .boolean))) {
      _, _ in ["wakeup-suspend-support": false]
    },
    .action(
      "set-action",
      [
        .optional("reboot", .enumeration(["reset", "shutdown"])),
        .optional("shutdown", .enumeration(["poweroff", "pause"])),
        // There is no watchdog, so there is nothing for it to do.
        .optional(
          "watchdog",
          .enumeration(["reset", "shutdown", "poweroff", "pause", "debug", "none", "inject-nmi"])),
        .optional("panic", .enumeration(Machine.PanicAction.allCases.map(\.rawValue))),
      ]
    ) { arguments, context in
      if let reboot = arguments["reboot"]?.string {
        context.machine.actions.endsOnReset = reboot == "shutdown"
      }
      if let panic = arguments["panic"]?.string.flatMap(Machine.PanicAction.init(rawValue:)) {
        context.machine.actions.onPanic = panic
      }
      if let shutdown = arguments["shutdown"]?.string {
        context.machine.actions.pausesOnPowerOff = shutdown == "pause"
      }
    },
    .action("x-round-trip-state") { (_, context) throws(QMPError) in
      do throws(MachineError) { try context.machine.roundTripState() } catch { throw QMPError(error) }
    },
    .action("inject-nmi") { (_, context) throws(QMPError) in
      do throws(MachineError) { try context.machine.injectNMI() } catch { throw QMPError(error) }
    },
  ]
}
