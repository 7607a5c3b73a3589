# The program of this bundle: uses the device, as a user without any capability.
set -e
read -r word version </opt/fuse/version
echo "$word $version"
exec 3<>/dev/fuse
echo "/dev/fuse is open"
