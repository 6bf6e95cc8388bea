// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Machine

/// The test protocol of a machine (`-qtest`). It lives as long as the machine does.
public final class QTestServer {
  private var session: QTestSession?

  /// Opens the port that the machine's configuration asks for, if it does. Called before the machine runs.
  public init(machine: Machine) throws(MachineError) {
    guard let configuration = machine.configuration.testProtocol else { return }
    let log = try Self.openLog(configuration.log)
    let result = machine.lock.withLock { () -> Result<QTestSession?, MachineError> in
      do throws(MachineError) {
        guard let port = try machine.openCharacterPort(configuration.port, label: "qtest") else {
          return .success(nil)
        }
        let session = QTestSession(port: port, target: machine, log: log)
        return .success(session)
      } catch { return .failure(error) }
    }
    session = try result.get()
  }

  private static func openLog(_ file: String?) throws(MachineError) -> QTestLog? {
    // What is thrown away need not be written first.
    if file == "none" || file == "/dev/null" { return nil }
    do throws(HostError) {
      return QTestLog(try Log(file: file))
    } catch {
      throw MachineError("\(error)")
    }
  }
}
