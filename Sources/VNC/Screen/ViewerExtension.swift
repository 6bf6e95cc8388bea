// SPDX-License-Identifier: GPL-2.0-or-later

import CVNCServer

/// QEMU's additions to the protocol, hooked into the library: it does not know them on the server's side.
enum ViewerExtension {
  /// Registers the hooks, once per process.
  static func register(with rfb: RFBFunctions) { rfb.registerProtocolExtension(record) }

  /// Lets a client's part go, which the library forgets to.
  static func remove(from client: rfbClientPtr) {
    if case .success(let rfb) = RFBLibrary.functions { _ = rfb.disableExtension(client, record) }
  }

  // Set up once, then only read; the library links it into its list under its own lock.
  nonisolated(unsafe) private static let record: UnsafeMutablePointer<rfbProtocolExtension> = {
    let record = UnsafeMutablePointer<rfbProtocolExtension>.allocate(capacity: 1)
    record.initialize(to: rfbProtocolExtension())
    record.pointee.newClient = { _, _ in 1 }
    record.pointee.enablePseudoEncoding = { client, _, encoding in
      Viewer.of(client)?.enable(encoding) == true ? 1 : 0
    }
    record.pointee.handleMessage = { client, _, message in
      guard message?.pointee.type == RFB.Message.qemu else { return 0 }
      return Viewer.of(client)?.readExtension() == true ? 1 : 0
    }
    return record
  }()
}
