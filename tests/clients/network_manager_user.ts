// Written for the TypeScript NetworkManager, and run with the one that asks svnetd: only this
// import has changed.
import { NetworkError, NetworkManager, type TapDevice } from './network_manager';

async function codeOf(refused: Promise<unknown>): Promise<string> {
  try {
    await refused;
  } catch (error) {
    if (error instanceof NetworkError) return error.code;
    throw error;
  }
  return 'no error';
}

async function main(): Promise<void> {
  const manager = new NetworkManager({ bridgeName: 'svbr0', subnet: '172.30.0.0/24' });
  await manager.ensureBridge();
  await manager.ensureBridge();

  const tap: TapDevice = await manager.createTap('vm1', 'eth0');
  const { tapName, guestIp, gatewayIp, subnetMask, mac } = tap;
  console.log(tapName, guestIp, gatewayIp, subnetMask, mac);
  console.log(manager.getBootArgs(tap));
  console.log('bad id:', await codeOf(manager.createTap('$(reboot)', 'eth0')));

  await manager.removeTap(tapName);
  await manager.removeTap(tapName);
  await manager.createTap('vm2', 'eth0');
  await manager.cleanup();
  await manager.cleanup();

  const other = new NetworkManager({ bridgeName: 'other0' });
  console.log('other bridge:', await codeOf(other.ensureBridge()));
}

main().catch((error: unknown) => {
  if (!(error instanceof NetworkError)) throw error;
  console.log(`${error.code}, because of ${error.reason}`);
  process.exitCode = 1;
});
