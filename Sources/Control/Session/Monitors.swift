// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import EventLoop
import Machine

/// All monitors of a machine. They live as long as it does, and hear of everything that happens to it.
public final class Monitors {
  private let machine: Machine
  private var sessions: [QMPSession] = []
  private var people: [HumanSession] = []
  private var clockChanges: EventThrottle?

  /// Opens the monitors that the machine's configuration asks for. Called before the machine runs.
  public init(machine: Machine) throws(MachineError) {
    self.machine = machine
    let configurations = machine.configuration.monitors
    guard !configurations.isEmpty else { return }
    let result = machine.lock.withLock { () -> Result<Void, MachineError> in
      do throws(MachineError) {
        for configuration in configurations { try open(configuration) }
        machine.sayWhatIsNew()
        do throws(HostError) {
          clockChanges = try EventThrottle(loop: machine.loop) { [unowned self] in tellAll($0) }
        } catch { throw MachineError("\(error)") }
        machine.onEvent = { [unowned self] in tell($0) }
        return .success(())
      } catch { return .failure(error) }
    }
    try result.get()
  }

  private func open(_ configuration: MonitorConfiguration) throws(MachineError) {
    guard let port = try machine.openCharacterPort(configuration.port, label: configuration.label) else {
      return
    }
    if configuration.mode == .readline {
      people.append(HumanSession(port: port, machine: machine))
      return
    }
    sessions.append(QMPSession(port: port, machine: machine, isPretty: configuration.isPretty))
  }

  private func tell(_ event: MachineEvent) {
    let message = QMPEvents.event(for: event, of: machine)
    if case .clockChanged = event, let clockChanges { clockChanges.add(message) } else { tellAll(message) }
  }

  private func tellAll(_ event: QMPEvent) {
    for session in sessions { session.tell(event) }
  }
}
